"""Drops and their pairs."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminTextInputWidget

from fulfillment.admin.base import ListAdmin, ReadOnlyAdmin
from orders.drops import change_sizes, open_drop, read_sizes, sizes_may_change, sizes_text
from orders.models import Drop, Pair
from orders.pictures import redraw


class DropForm(forms.ModelForm):
    """What `manage.py open_drop` asks for, and the picture."""

    sizes = forms.CharField(
        label="Pairs per size",
        widget=UnfoldAdminTextInputWidget,
        help_text="US size and number of pairs, for instance 8: 50, 9: 120, 9.5: 110. It stands once the drop is open.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk and "sizes" in self.fields:
            self.initial["sizes"] = sizes_text(self.instance)

    def clean_sizes(self) -> str:
        self.sizes_read = read_sizes(self.cleaned_data["sizes"])
        return str(self.cleaned_data["sizes"])

    def clean_picture(self) -> Any:
        picture = self.cleaned_data["picture"]
        return redraw(picture) if isinstance(picture, UploadedFile) else picture


@admin.register(Drop)
class DropAdmin(ListAdmin):
    """A drop's price stands from the first order on, and its pairs from the opening on; nothing deletes a drop."""

    form = DropForm
    list_display = ("name", "price", "currency", "opens_at", "closes_at")
    fields = ("name", ("price", "currency"), "opens_at", "closes_at", "sizes", "picture", "picture_alt")
    actions = None
    change_form_outer_before_template = "fulfillment/admin_drop.html"

    class Media:
        css = {"all": ["admin.css"]}

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Drop | None:
        """A drop that is being saved is locked, so that no first order slips in under its old price. From the first on
        it is not: every claim would wait, for as long as it takes to draw a picture.
        """
        drop: Drop | None = super().get_object(request, object_id, from_field)
        if drop and request.method == "POST" and not drop.orders.exists():
            return Drop.objects.select_for_update().get(pk=drop.pk)
        return drop

    def get_readonly_fields(self, request: HttpRequest, obj: Drop | None = None) -> tuple[str, ...]:
        if obj is None:
            return ()
        price = ("price", "currency") if obj.orders.exists() else ()
        return price if sizes_may_change(obj) else (*price, "sizes")

    @admin.display(description="Pairs per size")
    def sizes(self, drop: Drop) -> str:
        return sizes_text(drop)

    def save_model(self, request: HttpRequest, obj: Drop, form: DropForm, change: bool) -> None:
        if not change:
            open_drop(obj, form.sizes_read)
            return
        # The form may have been opened when these could still be changed.
        stands = {"price": obj.price, "currency": obj.currency, "sizes": sizes_text(obj)}
        for name, value in stands.items():
            if name not in form.fields and request.POST.get(name, str(value)) != str(value):
                messages.error(request, f"Too late to change the {name}: still {value}.")
        if "sizes" in form.changed_data:  # first, for the same form may open the drop
            change_sizes(obj, form.sizes_read)
        obj.save()


@admin.register(Pair)
class PairAdmin(ReadOnlyAdmin):
    list_display = ("number", "drop", "size", "state")
    list_filter = ("state", "size", "drop")
    list_select_related = ("drop",)
    export_columns = ("drop__name", "number", "size", "state")
    search_fields = ("=number",)
    ordering = ("-drop", "number")
