"""The steps of docs/deployment.md, and what can go wrong between them.

Each step is a function that returns what the report says about it, and raises MachineError.
"""

import re
import secrets
import shlex
import subprocess
from collections.abc import Callable
from dataclasses import dataclass

from dev.stack import ROOT

from .documentation import commands
from .machine import MachineError, wait_until
from .site import (
    ACCOUNTS,
    CERTIFICATE,
    HOST,
    OPERATORS,
    PASSWORD,
    ROWS_PER_SECOND,
    URL,
    Export,
    Site,
    Visitors,
)

SERVICES = ("microblog-web.service", "microblog-worker@1.service", "microblog-sweeper.service")
ENVIRONMENT = {
    "SITE_URL": URL,
    "DATABASE_URL": "postgres:///microblog?host=/run/postgresql",
    "EMAIL_URL": "smtp://127.0.0.1:25",
    "ADMINS": OPERATORS,
    "SECURITY_CONTACT": f"security@{HOST}",
    "EXPORT_COOLDOWN": "0",
    "EXPORT_MAX_RATE": str(ROWS_PER_SECOND),
}
CREATE_ACCOUNTS = """
from blog.models import Post, User
for name, count in {accounts}.items():
    user = User.objects.create_user(name, name + "@example.com", "{password}")
    user.confirm_email()
    Post.objects.bulk_create(
        [Post(author=user, body="Post %d of %s" % (number, name)) for number in range(count)])
"""


@dataclass(frozen=True)
class Step:
    """A step, and regular expressions of the errors that it provokes in the journal.

    After a failure of a step that is needed, the others would fail too.
    """

    run: Callable[[Site], str]
    provokes: tuple[str, ...] = ()
    is_needed: bool = False

    @property
    def title(self) -> str:
        return self.run.__name__.replace("_", " ")


def install_components(site: Site) -> str:
    site.machine.run(commands("**1. Install the components.**"))
    version = "postgres --version | cut -d' ' -f3; redis-server --version | cut -d' ' -f3"
    return "PostgreSQL and " + " ".join(
        site.machine.run(f"PATH=$PATH:$(echo /usr/lib/postgresql/*/bin)\n{version}").split()
    )


def install_site(site: Site) -> str:
    # sed adds lines at the last one, so before it deletes that.
    added = [f"$a {name}={text}" for name, text in ENVIRONMENT.items()]
    deleted = [f"/^[# ]*{name}=/d" for name in ENVIRONMENT]
    site.machine.write("/usr/local/share/env.sed", "\n".join([*added, *deleted, ""]))
    output = site.machine.run(commands("**2. Install the code and set its environment.**"))
    if "System check identified no issues" not in output:
        raise MachineError(f"The check complains:\n{output}")
    for unit in (*SERVICES, "microblog-web.socket", "microblog.target"):
        site.machine.run(f"systemctl is-active {unit} && systemctl is-enabled {unit}")
    for unit in SERVICES:
        if site.machine.run(f"systemctl show --property NRestarts --value {unit}").strip() != "0":
            raise MachineError(f"{unit} did not start at the first try.")
        log = site.machine.run(f"journalctl --quiet --output cat --unit {unit}")
        if log.count(f"Started {unit}") != 1:
            raise MachineError(f"{unit} was not started once:\n{log}")
    return f"release {site.current_release()}"


def set_up_nginx(site: Site) -> str:
    site.machine.run(
        f"mkdir --parents {CERTIFICATE} && cd {CERTIFICATE}\n"
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1"
        f" -subj /CN={HOST} -addext subjectAltName=DNS:{HOST}"
        " -keyout privkey.pem -out fullchain.pem 2>/dev/null"
    )
    site.machine.write("/usr/local/share/microblog.conf.sed", f"s/microblog.example/{HOST}/\n")
    site.machine.run(commands("**3. Set up nginx and TLS.**"))
    site.wait_until_ready()
    with site.new_client() as client:
        page = client.get("/accounts/login/").text
        style = re.search(r'href="(/static/[^"]+\.css)"', page)
        if style is None:
            raise MachineError(f"No style sheet on the page:\n{page[:500]}")
        client.get(style[1])
        plain = client.session.get(f"http://{HOST}/", allow_redirects=False)
    if plain.headers["Location"] != f"{URL}/":
        raise MachineError(f"HTTP leads to {plain.headers['Location']}.")
    return "all of /readyz over TLS, static files, HTTP leads to HTTPS"


def create_accounts(site: Site) -> str:
    code = CREATE_ACCOUNTS.format(accounts=ACCOUNTS, password=PASSWORD)
    manage = "/srv/microblog/current/deploy/manage.sh"
    site.machine.run(f"{manage} shell --command {shlex.quote(code)}")
    return ", ".join(f"{name} with {count:,} posts" for name, count in ACCOUNTS.items())


def export_end_to_end(site: Site) -> str:
    export = Export(site, "quick")
    outcome = export.wait_for_mail()
    response = export.client.get(f"/exports/{export.task}/download/")
    if len(response.json()["posts"]) != ACCOUNTS["quick"]:
        raise MachineError("The downloaded archive is not complete.")
    return f"{outcome}; the same through nginx"


def kill_worker_in_mid_build(site: Site) -> str:
    export = Export(site, "medium")
    export.wait_until_running()
    site.machine.run("systemctl kill --signal=KILL microblog-worker@1")
    export.check_unfinished()
    return export.wait_for_mail()


def upgrade_in_mid_build(site: Site) -> str:
    old, cursor = site.current_release(), site.machine.journal_cursor()
    with Visitors(site) as visitors:
        installation = site.machine.start(commands("### Upgrade and roll back"))
        output = _read_until("System check", installation)
        export = Export(site, "long")
        export.wait_until_running()
        output += installation.communicate(timeout=300)[0]
    if installation.returncode:
        raise MachineError(f"The upgrade failed:\n{output}")
    return f"{_let_worker_change(site, export, old, cursor)}; {visitors.report()}"


def _read_until(text: str, process: subprocess.Popen[str]) -> str:
    """Read the process's output until a line contains the text; return what was read."""
    assert process.stdout
    lines = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            break
    return "".join(lines)


def roll_back_in_mid_build(site: Site) -> str:
    old, cursor = site.current_release(), site.machine.journal_cursor()
    export = Export(site, "long")
    export.wait_until_running()
    with Visitors(site) as visitors:
        site.machine.run("deploy/install.sh --back")
    return f"{_let_worker_change(site, export, old, cursor)}; {visitors.report()}"


def _let_worker_change(site: Site, export: Export, old: str, cursor: str) -> str:
    """Check that the worker finished its build before it changed to the new release."""
    new = site.current_release()
    if new == old:
        raise MachineError(f"Still release {old}.")
    outcome = export.wait_for_mail()
    wait_until(lambda: site.worker_release() == new, f"the worker runs in release {new}")
    site.wait_until_ready()
    lines = site.worker_lines(cursor)
    told, finished, stopped = (
        next((number for number, line in enumerate(lines) if text in line), len(lines))
        for text in ("warm shut down requested", "Job OK", "stopping on request")
    )
    if not told < finished < stopped:
        raise MachineError("The worker was not told to stop in mid-build, or did not finish it.")
    return f"{old} -> {new}, {outcome}"


def restart_broker_in_mid_build(site: Site) -> str:
    return _restart_in_mid_build(site, "redis-server")


def restart_database_in_mid_build(site: Site) -> str:
    return _restart_in_mid_build(site, "postgresql")


def _restart_in_mid_build(site: Site, service: str) -> str:
    """Restart a service as an update of the system does."""
    export = Export(site, "medium")
    export.wait_until_running()
    site.machine.run(f"systemctl restart {service}")
    export.check_unfinished()
    outcome = export.wait_for_mail()
    site.wait_until_ready()
    return outcome


def stop_target_in_mid_build(site: Site) -> str:
    export = Export(site, "medium")
    export.wait_until_running()
    site.machine.run("systemctl stop microblog.target")
    export.check_unfinished()
    outcome = export.wait_for_mail()
    active = "systemctl list-units --state=active,deactivating --plain --no-legend 'microblog*'"
    wait_until(lambda: not site.machine.run(active).strip(), "everything has stopped")
    site.machine.run("systemctl start microblog.target")
    site.wait_until_ready()
    return outcome


def reboot_in_mid_build(site: Site) -> str:
    export = Export(site, "medium")
    export.wait_until_running()
    export.check_unfinished()
    site.machine.end_for_reboot()
    if not export.mails():
        raise MachineError("The worker did not finish its build before the reboot.")
    site.machine.boot()
    outcome = export.wait_for_mail()
    site.wait_until_ready()
    return outcome


def cut_power_in_mid_build(site: Site) -> str:
    export = Export(site, "medium")
    export.wait_until_running()
    site.machine.cut_power()
    export.check_unfinished()
    site.machine.boot()
    outcome = export.wait_for_mail()
    site.wait_until_ready()
    return outcome


def block_network(site: Site) -> str:
    open_scores = _scores(site)
    site.machine.run(commands("**Optional: services without network access.**"))
    site.wait_until_ready()
    local_scores = _scores(site)
    web, worker, sweeper = local_scores
    documented = (
        f"rates each service {open_scores[0]}; with these files it rates the site and the sweeper "
        f"{web}, and a worker {worker}."
    )
    text = " ".join((ROOT / "docs" / "deployment.md").read_text().split())
    if len(set(open_scores)) > 1 or sweeper != web or documented not in text:
        raise MachineError(f"Exposure {open_scores} and {local_scores}, not as documented.")
    for name in ("microblog-web", "microblog-sweeper"):
        if not _has_own_network(site, name):
            raise MachineError(f"{name} still has the machine's network.")
    outcome = Export(site, "quick").wait_for_mail()
    return (
        f"exposure {', '.join(open_scores)} -> {', '.join(local_scores)}; this kernel "
        f"{'obeys' if _obeys_address_filter(site) else 'ignores'} IPAddressDeny; {outcome}"
    )


def _has_own_network(site: Site, name: str) -> bool:
    networks = site.machine.run(
        f"pid=$(systemctl show --property MainPID --value {name})\n"
        'readlink /proc/1/ns/net "/proc/$pid/ns/net"'
    )
    return len(set(networks.split())) == 2


def _obeys_address_filter(site: Site) -> bool:
    """Return whether IPAddressDeny has an effect: it needs BPF and control groups of version 2."""
    connect = f"import socket; socket.create_connection(('{HOST}', 443), 3); print('connected')"
    return "connected" not in site.machine.run(
        "systemd-run --quiet --wait --pipe --property=IPAddressDeny=any"
        f" python3 -c {shlex.quote(connect)} || true"
    )


def _scores(site: Site) -> tuple[str, ...]:
    """Return what `systemd-analyze security` says of each service, from 0.0 (best) to 10."""
    outputs = [site.machine.run(f"systemd-analyze security --no-pager {name}") for name in SERVICES]
    return tuple(output.rpartition("level for")[2].split()[1] for output in outputs)


def set_broker_password(site: Site) -> str:
    password = secrets.token_hex(16)
    site.machine.run(
        "rm /etc/systemd/system/microblog-*.service.d/local.conf\nsystemctl daemon-reload\n"
        "systemctl stop microblog.target 'microblog-*'\n"
        f"printf 'port 6379\\nrequirepass {password}\\n' >>/etc/redis/redis.conf\n"
        "systemctl restart redis-server"
    )
    if "NOAUTH" not in site.machine.run("redis-cli ping"):
        raise MachineError("The broker needs no password.")
    site.set_environment(REDIS_URL=f"redis://:{password}@127.0.0.1:6379/0")
    site.machine.run("systemctl start microblog.target")
    site.wait_until_ready()
    return Export(site, "quick").wait_for_mail()


def count_all_mails(site: Site) -> str:
    """Find a second mail that came after its step, and unexpected mails about errors."""
    for address, count in site.requested.items():
        if len(mails := site.mailbox.mails(address)) != count:
            raise MachineError(f"{len(mails)} mails to {address} after {count} exports.")
    subjects = [str(mail.message["subject"]) for mail in site.mailbox.mails(OPERATORS)]
    provoked = "|".join(pattern for step in STEPS for pattern in step.provokes)
    if unexpected := [subject for subject in subjects if not re.search(provoked, subject)]:
        raise MachineError(f"Errors were mailed to the operators: {unexpected}")
    total = site.requested.total()
    return f"{total} exports, {total} mails; {len(subjects)} to ADMINS, of provoked errors"


STEPS = (
    Step(install_components, is_needed=True),
    Step(install_site, is_needed=True),
    Step(set_up_nginx, is_needed=True),
    Step(create_accounts, is_needed=True),
    Step(export_end_to_end),
    Step(kill_worker_in_mid_build),
    Step(upgrade_in_mid_build),
    Step(roll_back_in_mid_build),
    Step(restart_broker_in_mid_build),
    # The work-horse cannot record that the database is away, so it ends with this error.
    Step(restart_database_in_mid_build, provokes=(r"exception raised while executing",)),
    Step(stop_target_in_mid_build),
    Step(reboot_in_mid_build),
    Step(cut_power_in_mid_build),
    Step(block_network),
    Step(set_broker_password),
    Step(count_all_mails),
)
