#!/usr/bin/env python3
"""mkboot.py TREE LABEL: writes the boot menus with their kernel argument areas and the descriptions in coreos/, as coreos-assembler does."""
import json, pathlib, sys

tree, label = pathlib.Path(sys.argv[1]), sys.argv[2]
SIZE = 1139
default = f"mitigations=auto,nosmt coreos.liveiso={label} ignition.firstboot ignition.platform.id=metal"
area = (default + "\n").encode().ljust(SIZE, b"#")
MENUS = {
    "isolinux/isolinux.cfg": ("""serial 0 115200
default linux
prompt 0
timeout 1
label linux
  menu label ^CoreOS layout (Live)
  menu default
  kernel /images/pxeboot/vmlinuz
  append initrd=/images/pxeboot/initrd.img,/images/ignition.img """, " COREOS_KARG_EMBED_AREA\n"),
    "EFI/debian/grub.cfg": ("""serial --unit=0 --speed=115200
terminal_input serial console
terminal_output serial console
set default=0
set timeout=0
menuentry 'CoreOS layout (Live)' --class gnu-linux --class os {
\tlinux /images/pxeboot/vmlinuz """, """ COREOS_KARG_EMBED_AREA
\tinitrd /images/pxeboot/initrd.img /images/ignition.img
}
"""),
}
files = []
for path, (head, tail) in MENUS.items():
    (tree / path).parent.mkdir(parents=True, exist_ok=True)
    (tree / path).write_bytes(head.encode() + area + tail.encode())
    files.append({"path": path, "offset": len(head.encode()), "pad": "#", "end": "\n"})
descriptions = {
    "kargs": {"default": default, "size": SIZE, "files": files},
    "igninfo": {"file": "images/ignition.img"},
    "features": {"installer-config": False, "live-initrd-network": True},
}
(tree / "coreos").mkdir(exist_ok=True)
for name, value in descriptions.items():
    (tree / "coreos" / f"{name}.json").write_text(json.dumps(value, indent=2, sort_keys=True) + "\n")
