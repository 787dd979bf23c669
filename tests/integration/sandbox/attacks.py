"""Attacks, each a program that says ``breach`` when it got what it wanted.

They are small and harmless where they succeed. The first argument is JSON with
what the test set up: paths, ports, pids.
"""

_HEAD = """
import ctypes, errno, json, os, select, signal, socket, subprocess, sys, time
given = json.loads(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
def breach(*what):
    print("breach", *what, flush=True)
def call(number, *arguments):
    ctypes.set_errno(0)
    result = libc.syscall(number, *arguments)
    return result, ctypes.get_errno()
"""

_BODIES = {
    # Files of the host.
    "read_key": """
try:
    breach(open(given["key"]).read())
except OSError as exc:
    print(exc)
""",
    "write_outside": """
for place in given["places"]:
    try:
        with open(place + "/crony-was-here", "x") as file:
            file.write("x")
        breach(place)
    except OSError as exc:
        print(exc)
""",
    "other_workspace": """
for root, folders, files in os.walk(given["workspaces"]):
    for name in files:
        if name == "secret-of-another":
            breach(open(os.path.join(root, name)).read())
""",
    # The network.
    "connect": """
try:
    connection = socket.socket()
    connection.settimeout(5)
    connection.connect(("127.0.0.1", given["port"]))
    breach("connected")
except OSError as exc:
    print(exc)
""",
    "socket_families": """
for family, kind, protocol in ((40, 1, 0), (17, 3, 0), (16, 3, 12), (31, 3, 0)):
    try:
        socket.socket(family, kind, protocol)
        breach(family)
    except OSError as exc:
        # Only a filter answers so for a packet socket, whose want is rights.
        print(family, exc)
        if exc.errno == errno.EPERM:
            breach("asked the kernel", family)
""",
    "abstract_socket": """
try:
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(chr(0) + given["abstract"])
    breach("connected")
except OSError as exc:
    print(exc)
""",
    # Other processes.
    "see_processes": """
for name in os.listdir("/proc"):
    try:
        line = open(f"/proc/{name}/cmdline").read() if name.isdigit() else ""
        # The attack's own command line holds what it looks for, and its text.
        if given["marker"] in line and "import ctypes" not in line:
            breach(name)
    except OSError:
        pass
""",
    "signal_process": """
try:
    os.kill(given["victim"], signal.SIGUSR1)
    breach("signalled")
except OSError as exc:
    print(exc)
""",
    "read_environment": """
for name in os.listdir("/proc"):
    try:
        if name.isdigit() and given["secret"] in open(f"/proc/{name}/environ").read():
            breach(name)
    except OSError:
        pass
""",
    "ptrace": """
child = os.fork()
if child == 0:
    while True:
        signal.pause()
result, number = call(given["ptrace"], 16, child, None, None)
if result == 0:
    breach("attached")
print(os.strerror(number))
os.kill(child, signal.SIGKILL)
""",
    "first_process": """
for number in range(12):
    try:
        os.open(f"/proc/{os.getppid()}/fd/{number}", os.O_WRONLY)
        breach("opened", number)
    except OSError as exc:
        print(exc)
""",
    # Rights.
    "set_uid": """
with open("tool", "w") as file:
    file.write("#!/bin/sh")
for change in (
    lambda: os.chmod("tool", 0o4755),
    lambda: os.close(os.open("made", os.O_CREAT | os.O_WRONLY, 0o4755)),
    lambda: os.mknod("node", 0o100000 | 0o2755),
):
    try:
        change()
        breach("set-uid")
    except OSError as exc:
        print(exc)
""",
    "user_namespace": """
if libc.unshare(0x10000000) == 0:
    breach("unshared")
if subprocess.run(["unshare", "-U", "true"], stderr=subprocess.DEVNULL).returncode == 0:
    breach("unshare -U")
""",
    "keyring": """
result, number = call(given["add_key"], b"user", b"crony-test", b"x", 1, -3)
if result >= 0:
    breach("added a key")
print(os.strerror(number))
""",
    "core_pattern": """
for path in ("/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname"):
    try:
        os.open(path, os.O_WRONLY)
        breach(path)
    except OSError as exc:
        print(exc)
""",
    "mount": """
if libc.mount(b"none", b"/tmp", b"tmpfs", 0, None) == 0:
    breach("mounted")
number = ctypes.get_errno()
print(os.strerror(number))
""",
    "terminal_input": """
import pty
try:
    child, master = pty.fork()
except OSError as exc:
    sys.exit(f"no terminal: {exc}")
if child == 0:
    try:
        for request in (0x5412, 0x5412 | 1 << 40):
            result, number = call(given["ioctl"], 0, ctypes.c_ulong(request), b"x")
            if result == 0:
                os._exit(42)
    finally:
        os._exit(0)
if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 42:
    breach("typed into a terminal")
""",
    "io_uring": """
result, number = call(425, 1, None)
if number != errno.ENOSYS:
    breach(os.strerror(number))
""",
    "memory_in_a_descriptor": """
try:
    os.memfd_create("x")
    breach("memfd")
except OSError as exc:
    print(exc)
""",
    # Limits.
    "many_processes": """
children = []
try:
    for _ in range(given["most"] * 3):
        child = os.fork()
        if child == 0:
            while True:
                signal.pause()
        children.append(child)
except OSError as exc:
    print(exc)
if len(children) > given["most"]:
    breach(len(children))
for child in children:
    os.kill(child, signal.SIGKILL)
""",
    "much_memory": """
ready, told = os.pipe()
for _ in range(4):
    if os.fork() == 0:
        held = bytearray(given["share"])
        for at in range(0, len(held), 4096):
            held[at] = 1
        os.write(told, b"x")
        while True:
            signal.pause()
os.close(told)
got = b""
# One that was killed says nothing, while the others keep the pipe open.
while len(got) < 4 and select.select([ready], [], [], 2)[0]:
    got += os.read(ready, 1)
if given.get("hold"):
    select.select([], [], [], given["hold"])
if len(got) == 4:
    breach("all of it")
""",
    "much_disk": """
for place in given["places"]:
    written = 0
    try:
        for number in range(given["files"]):
            with open(f"{place}/crony-filler-{number}", "wb") as file:
                file.write(bytes(1 << 20))
            written += 1
    except OSError as exc:
        print(exc)
    for number in range(given["files"]):
        try:
            os.unlink(f"{place}/crony-filler-{number}")
        except OSError:
            pass
    if written == given["files"]:
        breach(place)
""",
    # Past the end.
    "outlive": """
up, told = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.close(0)
        if given.get("name"):
            # Under another name, and with nothing in its environment; closes `told`.
            hold = "import signal; signal.pause()"
            # Its directory may be gone before an interpreter has looked around.
            os.chdir("/")
            os.execve(sys.executable, [sys.executable, "-c", hold, given["name"]], {})
        os.write(told, b"x")
        signal.pause()
    os._exit(0)
os.close(told)
os.wait()
os.read(up, 1)
""",
}


def attack(name: str) -> str:
    """Give the text of one attack."""
    return _HEAD + _BODIES[name]
