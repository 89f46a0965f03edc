"""A real Postfix and a real Dovecot for three domains, in their own folder, until told to stop.

Installed from Debian's packages (`apt-get install postfix dovecot-imapd dovecot-lmtpd`); needs
root, as Postfix does. Nothing of the machine's own mail is touched: other ports, other folders, and
no letter leaves for anywhere else.

`python -m tools.mail_servers FOLDER` prints the ports and waits.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DOMAINS = ("plus.example", "romashka.example", "master-yug.example")
PASSWORD = "test-mailboxes-only"
NEEDED = ("postfix", "postmap", "dovecot")
START_S = 20.0


@dataclass(frozen=True)
class MailServers:
    """Where they listen and what they trust."""

    smtp: int  # takes letters for all of them, as from outside
    submission: int  # the same with STARTTLS required
    imap: int  # TLS from the first byte
    ca: str  # who vouches for `localhost`
    mail: str  # folder of the mailboxes
    folder: str


def missing() -> list[str]:
    """Programs that are not installed, and what else stands in the way."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin"
    found = [name for name in NEEDED if shutil.which(name, path=path) is None]
    return found if os.geteuid() == 0 else [*found, "root"]


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _certificates(folder: Path) -> Path:
    """A key and a certificate for localhost, which vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
            ),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return folder / "cert.pem"


def _postfix(folder: Path, smtp: int, submission: int, lmtp: int) -> Path:
    where = folder / "postfix"
    for name in ("etc", "queue", "data"):
        (where / name).mkdir(parents=True)
    shutil.chown(where / "data", "postfix", "postfix")
    (where / "etc" / "main.cf").write_text(
        f"""
compatibility_level = 3.6
queue_directory = {where}/queue
data_directory = {where}/data
maillog_file = {folder}/mail.log
maillog_file_prefixes = {folder}
myhostname = mx.plus.example
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
recipient_delimiter = +
virtual_mailbox_domains = {", ".join(DOMAINS)}
virtual_transport = lmtp:inet:127.0.0.1:{lmtp}
default_transport = error:no letter leaves this test
relay_transport = error:no letter leaves this test
smtpd_recipient_restrictions = permit_auth_destination, reject
smtpd_relay_restrictions = permit_auth_destination, reject
smtpd_tls_cert_file = {folder}/cert.pem
smtpd_tls_key_file = {folder}/key.pem
smtpd_tls_security_level = may
message_size_limit = 41943040
mailbox_size_limit = 0
virtual_mailbox_limit = 0
alias_maps =
local_recipient_maps =
minimal_backoff_time = 2s
queue_run_delay = 2s
bounce_queue_lifetime = 1h
""",
        encoding="utf-8",
    )
    services = "\n".join(
        f"{name}  unix  {private}  -  n  {wake}  {most}  {program}"
        for name, private, wake, most, program in (
            ("cleanup", "n", "-", "0", "cleanup"),
            ("qmgr", "n", "300", "1", "qmgr"),
            ("tlsmgr", "-", "1000?", "1", "tlsmgr"),
            ("rewrite", "-", "-", "-", "trivial-rewrite"),
            ("bounce", "-", "-", "0", "bounce"),
            ("defer", "-", "-", "0", "bounce"),
            ("trace", "-", "-", "0", "bounce"),
            ("verify", "-", "-", "1", "verify"),
            ("flush", "n", "1000?", "0", "flush"),
            ("error", "-", "-", "-", "error"),
            ("retry", "-", "-", "-", "error"),
            ("discard", "-", "-", "-", "discard"),
            ("smtp", "-", "-", "-", "smtp"),
            ("lmtp", "-", "-", "-", "lmtp"),
            ("anvil", "-", "-", "1", "anvil"),
            ("proxymap", "-", "-", "-", "proxymap"),
            ("postlog", "n", "-", "1", "postlogd"),
            ("showq", "n", "-", "-", "showq"),
        )
    ).replace("postlog  unix", "postlog  unix-dgram")
    (where / "etc" / "master.cf").write_text(
        f"""127.0.0.1:{smtp}  inet  n  -  n  -  -  smtpd
127.0.0.1:{submission}  inet  n  -  n  -  -  smtpd
  -o smtpd_tls_security_level=encrypt
{services}
""",
        encoding="utf-8",
    )
    return where / "etc"


def _dovecot(folder: Path, imap: int, lmtp: int) -> Path:
    mail = folder / "mail"
    mail.mkdir()
    shutil.chown(mail, "nobody", "nogroup")
    conf = folder / "dovecot.conf"
    conf.write_text(
        f"""
base_dir = {folder}/dovecot
state_dir = {folder}/dovecot-state
log_path = {folder}/dovecot.log
protocols = imap lmtp
listen = 127.0.0.1
ssl = required
ssl_cert = <{folder}/cert.pem
ssl_key = <{folder}/key.pem
recipient_delimiter = +
auth_mechanisms = plain login
first_valid_uid = 1
mail_location = maildir:{mail}/%d/%n
passdb {{
  driver = static
  args = password={PASSWORD}
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={mail}/%d/%n allow_all_users=yes
}}
service imap-login {{
  inet_listener imap {{
    port = 0
  }}
  inet_listener imaps {{
    port = {imap}
    ssl = yes
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    port = {lmtp}
  }}
}}
protocol lmtp {{
  postmaster_address = postmaster@plus.example
}}
""",
        encoding="utf-8",
    )
    return conf


def _wait_for(port: int) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    msg = f"nobody listens on port {port}"
    raise TimeoutError(msg)


def _postfix_says(etc: Path, env: dict[str, str], what: str) -> None:
    line = ["postfix", "-c", str(etc), what]
    subprocess.run(line, env=env, check=what == "start", capture_output=True, timeout=60)


@contextlib.contextmanager
def running(folder: Path) -> Iterator[MailServers]:
    """Both servers, as long as this lasts. The folder must be empty and readable for everybody."""
    folder.chmod(0o755)
    smtp, submission, imap, lmtp = (free_port() for _each in range(4))
    ca = _certificates(folder)
    etc = _postfix(folder, smtp, submission, lmtp)
    conf = _dovecot(folder, imap, lmtp)
    env = {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin"}
    dovecot = subprocess.Popen(["dovecot", "-F", "-c", str(conf)], env=env)
    try:
        _postfix_says(etc, env, "start")
        for port in (smtp, submission, imap, lmtp):
            _wait_for(port)
        yield MailServers(smtp, submission, imap, str(ca), str(folder / "mail"), str(folder))
    finally:
        _postfix_says(etc, env, "stop")
        dovecot.terminate()
        dovecot.wait(30)


def main() -> int:
    """Run them until interrupted."""
    if missing():
        print(f"cannot run: {', '.join(missing())}", file=sys.stderr)
        return 1
    with contextlib.ExitStack() as stack:
        made = Path(sys.argv[1]) if len(sys.argv) > 1 else None
        folder = made or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hub-mail-")))
        folder.mkdir(parents=True, exist_ok=True)
        servers = stack.enter_context(running(folder))
        print(json.dumps(asdict(servers)), flush=True)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})
    return 0


if __name__ == "__main__":
    sys.exit(main())
