"""Our account, a colleague's, a queue for each role and the field for our marker; tokens into files."""

import sys
from pathlib import Path

import django

django.setup()

from django.contrib.auth.models import User  # noqa: E402 - needs the setup
from helpdesk.models import CustomField, Queue  # noqa: E402
from rest_framework.authtoken.models import Token  # noqa: E402

folder = Path(sys.argv[1])
for name in ("Support", "Own", "Vendor"):
    Queue.objects.create(title=name, slug=name.lower(), allow_public_submission=True)
CustomField.objects.create(
    name="hub_id", label="Hub id", data_type="varchar", max_length=64, required=False,
    staff_only=True, help_text="",
)  # fmt: skip
for name, file in (("hub", "token"), ("petr", "token-petr")):
    user = User.objects.create_superuser(name, f"{name}@desk.test", f"{name}-password-1")
    (folder / file).write_text(Token.objects.create(user=user).key)
