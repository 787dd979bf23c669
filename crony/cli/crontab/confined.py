"""What a command may miss inside the sandbox: guessed from its words."""

from __future__ import annotations

import re

from crony.cli.crontab.parse import Entry

#: What a task sees of the host's files; the rest has to be asked for.
_VISIBLE = (
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/proc",
    "/dev",
    "/tmp",
    "/workspace",
    "/etc/alternatives",
    "/etc/group",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/passwd",
    "/etc/ssl",
)

_PATH = re.compile(r"(?:^|(?<=[\s\"'=<>(;|&:`]))/(?!/)[\w.@%+,/*?~-]*[\w*?]")
_URL = re.compile(r"\b[a-z+]+://\S*")
_WORD = re.compile(r"[\w./-]+")

_NETWORK = (
    "apt apt-get aptitude certbot curl dig dnf ftp git host lftp mail mailx mongodump "
    "mutt mysql mysqldump nc ncat nslookup ntpdate pg_dump pg_dumpall ping pip psql "
    "rclone redis-cli restic rsync scp sendmail sftp ssh telnet wget yum"
)
_PRIVILEGED = (
    "chown chroot ip iptables mount nft reboot runuser service shutdown su sudo "
    "systemctl umount useradd userdel invoke-rc.d"
)


def hints(entry: Entry) -> list[str]:
    """Return what the entry's command seems to need and would not find."""
    found: list[str] = []
    hidden = [path for path in _paths(entry) if not _is_visible(path)]
    if hidden:
        found.append(
            f"{', '.join(hidden)}: only there with sandbox.ro_paths or rw_paths"
        )
    # The last part of an address is no program.
    text = _URL.sub(" ", entry.command)
    names = {word.rsplit("/", 1)[-1] for word in _WORD.findall(text)}
    network = sorted(names.intersection(_NETWORK.split()))
    privileged = sorted(names.intersection(_PRIVILEGED.split()))
    if network:
        found.append(f'{", ".join(network)}: no network without sandbox.network "host"')
    if privileged:
        found.append(f"{', '.join(privileged)}: a task has no privileges")
    if re.search(r"~/|\$\{?HOME\b", entry.command) and not _is_visible(_home(entry)):
        found.append("the home directory is not in the sandbox")
    return found


def _home(entry: Entry) -> str:
    return entry.environment.get("HOME", "/home")


def _paths(entry: Entry) -> list[str]:
    """Return the absolute paths of a command, each once, in their order."""
    words = [entry.shell, *_PATH.findall(entry.command)]
    return list(dict.fromkeys(words))


def _is_visible(path: str) -> bool:
    return any(path == place or path.startswith(place + "/") for place in _VISIBLE)
