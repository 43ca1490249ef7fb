"""The one hole in the content security policy, for the one part of the shop that cannot do without."""

from csp.constants import SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.middleware import CSPMiddleware, PolicyParts
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse

UNFOLD = {
    "script-src": [SELF, UNSAFE_EVAL],  # Alpine, in which unfold's menus are written, evaluates attributes
    "style-src": [SELF, UNSAFE_INLINE],  # unfold writes its colours into the page, Alpine shows and hides by style
}
OURS = ("fulfillment:desk", "dashboard:sale", "packing:index")  # under the admin's address, not written by unfold


class AdminCSPMiddleware(CSPMiddleware):
    """Lets unfold's pages evaluate their attributes: no inline script, no foreign address, not for our pages."""

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        parts: PolicyParts = super().get_policy_parts(request, response, report_only)
        path = request.path_info
        if path.startswith(reverse("admin:index")) and not path.startswith(tuple(reverse(page) for page in OURS)):
            parts.replace = UNFOLD
        return parts
