import pytest
from orders.models import Drop


@pytest.mark.django_db
def test_it_works():
    assert Drop.objects.current() is None
