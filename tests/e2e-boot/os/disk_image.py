#!/usr/bin/env python3
"""disk_image.py WORK ROOT_MIB: WORK/os.raw from WORK/boot, rootpart, core.img and disk.efi; it boots with BIOS and with UEFI."""
import pathlib, struct, subprocess, sys

work, root_mib = pathlib.Path(sys.argv[1]), int(sys.argv[2])
MIB = 1 << 20
BOOT_IMG = pathlib.Path("/usr/lib/grub/i386-pc/boot.img").read_bytes()
# number, name, type, MiB
PARTS = [(1, "BIOS-BOOT", "21686148-6449-6E6F-744E-656564454649", 1), (2, "EFI-SYSTEM", "C12A7328-F81F-11D2-BA4B-00A0C93EC93B", 4),
         (3, "boot", "0FC63DAF-8483-4772-8E79-3D69D8477DE4", 96), (4, "root", "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709", root_mib)]


def run(*words):
    subprocess.run([str(w) for w in words], check=True, stdout=subprocess.DEVNULL)


def main():
    image = work / "os.raw"
    image.unlink(missing_ok=True)
    starts, at = {}, 1
    for number, _, _, size in PARTS:
        starts[number], at = at, at + size
    with image.open("wb") as file:
        file.truncate((at + 1) * MIB)
    table = [w for n, name, kind, size in PARTS
             for w in ("-n", f"{n}:{starts[n] * 2048}:{(starts[n] + size) * 2048 - 1}", "-c", f"{n}:{name}", "-t", f"{n}:{kind}")]
    run("sgdisk", "-a", "1", *table, image)

    efi, boot, root = (work / n for n in ("efi.part", "boot.part", "root.part"))
    for part, number in ((efi, 2), (boot, 3), (root, 4)):
        part.unlink(missing_ok=True)
        with part.open("wb") as file:
            file.truncate(PARTS[number - 1][3] * MIB)
    run("mformat", "-i", efi, "-v", "EFI-SYSTEM", "-t", "4", "-h", "32", "-s", "64", "::")
    run("mmd", "-i", efi, "::/EFI", "::/EFI/BOOT")
    run("mcopy", "-i", efi, work / "disk.efi", "::/EFI/BOOT/BOOTX64.EFI")
    for part, label, tree in ((boot, "boot", "boot"), (root, "root", "rootpart")):
        # The resize inode lets the first boot grow the root partition's filesystem.
        run("mke2fs", "-q", "-t", "ext4", "-L", label, "-d", work / tree, "-F", part)

    core = bytearray((work / "core.img").read_bytes())
    first = starts[1] * 2048
    # GRUB's diskboot.img ends in a block list: where the rest of core.img lies, in sectors, and the segment to load it to.
    struct.pack_into("<QHH", core, 0x1F4, first + 1, (len(core) + 511) // 512 - 1, 0x820)
    with image.open("r+b") as file:
        boot_code = bytearray(file.read(512))
        boot_code[:0x1B8] = BOOT_IMG[:0x1B8]
        # boot.img: the sector of core.img, and no check of the drive number.
        struct.pack_into("<Q", boot_code, 0x5C, first)
        boot_code[0x66:0x68] = b"\x90\x90"
        file.seek(0)
        file.write(boot_code)
        for number, content in ((1, bytes(core)), (2, efi), (3, boot), (4, root)):
            file.seek(starts[number] * MIB)
            file.write(content if isinstance(content, bytes) else content.read_bytes())
    for part in (efi, boot, root):
        part.unlink()


main()
