#!/bin/bash
# The parts of fedora-coreos-config's live, ignition and network modules that these boots need, in their smallest form.
check() { return 255; }
depends() { echo systemd ignition network-manager; }
install() {
    inst_multiple cp mkdir mount umount ls cat sed losetup systemd-escape sleep touch rm chmod
    inst_multiple -o mkfs.xfs mkfs.ext4 sgdisk tail journalctl systemctl poweroff
    inst_simple "$moddir/is-live-image" /usr/bin/is-live-image
    inst_simple "$moddir/setfiles" /usr/sbin/setfiles
    inst_simple "$moddir/root-generator" "$systemdutildir/system-generators/e2e-root-generator"
    inst_simple "$moddir/make-sysroot" /usr/sbin/make-sysroot
    inst_simple "$moddir/ignition-setup-user" /usr/sbin/ignition-setup-user
    inst_simple "$moddir/coreos-teardown-initramfs" /usr/sbin/coreos-teardown-initramfs
    inst_hook cmdline 01 "$moddir/root-cmdline.sh"
    inst_hook emergency 10 "$moddir/emergency-ignition.sh"
    inst_hook shutdown-emergency 10 "$moddir/emergency-ignition.sh"
    local u
    for u in ignition-setup-user coreos-teardown-initramfs; do
        inst_simple "$moddir/$u.service" "$systemdsystemunitdir/$u.service"
        mkdir -p "$initdir/$systemdsystemunitdir/ignition-complete.target.requires"
        ln_r "../$u.service" "$systemdsystemunitdir/ignition-complete.target.requires/$u.service"
    done
}
