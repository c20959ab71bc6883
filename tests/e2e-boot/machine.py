"""A machine in QEMU: its disks, its two serial lines (console, and what the guest reports), and its monitor."""
import json, pathlib, re, shutil, socket, subprocess, time

OVMF = pathlib.Path("/usr/share/OVMF")
# No MELTDOWN mitigation on this model: a third less work for TCG.
CPU = "Nehalem,vendor=AuthenticAMD"

PAINT = re.compile(r"\x1b\[[0-9;=?]*[A-Za-z]")


class Disk:
    """A drive of the machine. `bus`: virtio (/dev/vda …), scsi (/dev/sda …) or cd."""

    def __init__(self, name, path, bus="virtio", **options):
        self.name, self.path, self.bus, self.options = name, path, bus, options


class Machine:
    def __init__(self, work, name, disks, firmware="bios", mode="install", reboot=False, memory=3072):
        self.console, self.report = work / f"{name}.console.log", work / f"{name}.report.log"
        self.monitor = work / "monitor.sock"
        for path in (self.console, self.report, self.monitor):
            path.unlink(missing_ok=True)
        words = ["qemu-system-x86_64", "-machine", "pc", "-accel", "tcg,thread=multi,tb-size=512", "-cpu", CPU, "-smp", "2", "-m", str(memory),
                 "-display", "none", "-vga", "none", "-serial", f"file:{self.console}", "-serial", f"file:{self.report}",
                 "-qmp", f"unix:{self.monitor},server=on,wait=off", "-device", "virtio-rng-pci,addr=0x8",
                 "-fw_cfg", f"name=opt/org.snoforge/mode,string={mode}",
                 # restrict=on: the guest reaches nothing, neither this machine nor what is beyond it. Slot 3 is ens3.
                 "-netdev", "user,id=n0,restrict=on,net=192.168.126.0/24,host=192.168.126.1",
                 "-device", "virtio-net-pci,addr=0x3,netdev=n0,mac=52:54:00:ee:42:e1", "-device", "virtio-scsi-pci,id=scsi0,addr=0x4",
                 # A controller of its own: what is pulled out takes nothing else with it.
                 "-device", "virtio-scsi-pci,id=scsi1,addr=0x5"]
        if not reboot:
            words.append("-no-reboot")
        if firmware == "uefi":
            variables = work / "OVMF_VARS.fd"
            if not variables.exists():
                shutil.copy(OVMF / "OVMF_VARS_4M.fd", variables)
            words += ["-drive", f"if=pflash,format=raw,readonly=on,file={OVMF}/OVMF_CODE_4M.fd", "-drive", f"if=pflash,format=raw,file={variables}"]
        for index, disk in enumerate(disks):
            words += self.drive(index, disk)
        self.started = time.monotonic()
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stderr=(work / f"{name}.qemu.log").open("w"))
        self.facts, self.offset, self.qmp = {}, 0, None

    @staticmethod
    def drive(index, disk):
        options = "".join(f",{k}={v}" for k, v in disk.options.items() if k.startswith("throttling."))
        device = "".join(f",{k}={v}" for k, v in disk.options.items() if not k.startswith("throttling."))
        media = ",media=cdrom,readonly=on" if disk.bus == "cd" else ",cache=unsafe"
        model = {"cd": "scsi-cd,bus=scsi0.0", "scsi": "scsi-hd,bus=scsi1.0", "virtio": f"virtio-blk-pci,addr={0x10 + index:#x}"}[disk.bus]
        # Where something does not boot, the firmware goes on to the next; the medium goes first, as when an engineer picks it.
        order = 0 if disk.bus == "cd" else index + 1
        return ["-drive", f"if=none,id=d{disk.name},format=raw,file={disk.path}{media}{options}",
                "-device", f"{model},drive=d{disk.name},id={disk.name},serial={disk.name},bootindex={order}{device}"]

    def poll(self):
        """Reads what the guest has reported since; each line is `name JSON`. A name that comes twice becomes a list."""
        data = self.report.read_bytes() if self.report.exists() else b""
        new, fresh = data[self.offset:], []
        whole = new.rpartition(b"\n")[0]
        self.offset += len(whole) + 1 if whole else 0
        for line in whole.decode(errors="replace").splitlines():
            # UEFI's firmware and GRUB paint on every serial line, this one too.
            name, _, value = PAINT.sub("", line).strip().partition(" ")
            try:
                value = json.loads(value)
            except ValueError:
                continue
            self.facts[name] = value
            fresh.append(name)
        return fresh

    def wait(self, timeout, on_fact=None):
        """Until the machine is off. True when it went off by itself."""
        deadline = time.monotonic() + timeout
        while True:
            ended = self.process.poll() is not None
            for name in self.poll():
                if on_fact:
                    on_fact(self, name)
            if ended:
                return self.process.returncode == 0
            if time.monotonic() > deadline:
                self.stop()
                return False
            time.sleep(0.2)

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def execute(self, command, **arguments):
        if self.qmp is None:
            link = socket.socket(socket.AF_UNIX)
            link.connect(str(self.monitor))
            self.qmp = link.makefile("rw")
            self.qmp.readline()
            self.execute("qmp_capabilities")
        self.qmp.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.qmp.flush()
        while True:
            answer = json.loads(self.qmp.readline())
            if "error" in answer:
                raise RuntimeError(f"{command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]
