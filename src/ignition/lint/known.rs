//! Units that are there without being in the config: systemd's own, and those of RHCOS and of an OpenShift node.
//!
//! Collected from systemd 252, `systemd.special(7)`, the presets of RHCOS 4.12 to 4.18 and the machine-config-operator's templates. A name
//! that is missing here costs a warning, nothing else.

/// Whether a unit is part of the system, or made at run time from something else (a device, a mount point, a slice).
pub(super) fn is_known(name: &str) -> bool {
    let Some((stem, suffix)) = name.rsplit_once('.') else {
        return false;
    };
    match suffix {
        "device" | "mount" | "swap" | "slice" | "scope" | "automount" => true,
        "target" => has(TARGETS, stem),
        "service" => has(SERVICES, stem),
        _ => has(OTHERS, name),
    }
}

/// Whether a word is in a list of words.
fn has(list: &str, word: &str) -> bool {
    list.split_ascii_whitespace().any(|known| known == word)
}

/// Targets, without `.target`.
const TARGETS: &str = "
basic blockdev@ bluetooth boot-complete coreos-installer coreos-installer-post coreos-installer-pre cryptsetup
cryptsetup-pre ctrl-alt-del default emergency exit factory-reset final first-boot-complete firstboot-osupdate
getty getty-pre graphical halt hibernate hybrid-sleep ignition-complete ignition-diskful initrd initrd-fs
initrd-root-device initrd-root-fs initrd-switch-root initrd-usr-fs integritysetup integritysetup-pre kexec
local-fs local-fs-pre multi-user network network-online network-pre nfs-client nss-lookup nss-user-lookup paths
poweroff printer reboot remote-cryptsetup remote-fs remote-fs-pre remote-veritysetup rescue rpc_pipefs rpcbind
runlevel0 runlevel1 runlevel2 runlevel3 runlevel4 runlevel5 runlevel6 selinux-autorelabel shutdown sigpwr sleep
slices smartcard sockets soft-reboot sound sshd-keygen suspend suspend-then-hibernate swap sysinit system-update
system-update-pre time-set time-sync timers umount usb-gadget veritysetup veritysetup-pre
";

/// Services, without `.service`.
const SERVICES: &str = "
NetworkManager NetworkManager-clean-initrd-state NetworkManager-dispatcher NetworkManager-wait-online afterburn
afterburn-checkin afterburn-firstboot-checkin afterburn-sshkeys@ auditd autovt@ bootupd chronyd
clevis-luks-askpass configure-ovs console-getty console-login-helper-messages-gensnippet-ssh-keys
console-login-helper-messages-issuegen container-getty@ coreos-boot-edit coreos-check-ignition-config
coreos-check-ssh-keys coreos-copy-firstboot-network coreos-generate-iscsi-initiatorname
coreos-ignition-firstboot-complete coreos-ignition-write-issues coreos-installer
coreos-installer-disable-device-auto-activation coreos-installer-noreboot coreos-installer-reboot
coreos-liveiso-network-kargs coreos-liveiso-success coreos-oci-early-setup coreos-platform-chrony-config
coreos-populate-lvmdevices coreos-printk-quiet coreos-relocate-bootloader coreos-root-bash-profile-workaround
coreos-teardown-initramfs coreos-update-ca-trust coreos-warn-invalid-mounts cpuset-configure crio crio-configure
crio-shutdown crio-subid crio-wipe dbus dbus-broker debug-shell disable-mglru dnf-makecache dracut-shutdown
emergency firewalld fstrim fwupd gcp-hostname gcp-routes getty@ google-compute-engine gssproxy hypervfcopyd
hypervkvpd hypervvssd ignition-delete-config ignition-firstboot-complete initrd-cleanup initrd-parse-etc
initrd-switch-root initrd-udevadm-cleanup-db irqbalance iscsi iscsi-init iscsi-onboot iscsi-shutdown iscsid
iscsiuio kdump keepalived kmod-static-nodes kubelet kubelet-auto-node-size kubelet-cleanup kubelet-dependencies
kubens ldconfig logrotate lvm2-lvmpolld lvm2-monitor lvm2-pvscan@ machine-config-daemon-firstboot
machine-config-daemon-host machine-config-daemon-pull mcelog mdadm-last-resort@ mdmonitor microcode modprobe@
multipathd netavark-dhcp-proxy nfs-convert nfs-idmapd nfs-server nfs-utils nftables nm-cloud-setup nm-initrd
nmstate nmstate-configuration node-valid-hostname nodeip-configuration nodeip-configuration-vsphere-upi
nvmefc-boot-connections nvmf-autoconnect on-prem-resolv-prepender openvswitch ostree-boot-complete
ostree-finalize-staged ostree-finalize-staged-hold ostree-prepare-root ostree-remount ostree-state-overlay@
ovn-controller ovs-configuration ovs-delete-transient-ports ovs-vswitchd ovsdb-server phc2sys pivot podman
podman-auto-update podman-clean-transient podman-restart polkit ptp4l qemu-guest-agent quotaon raid-check rbd
rc-local rdma-hw rdma-load-modules@ rdma-ndd rescue rngd rpc-gssd rpc-statd rpc-statd-notify rpcbind
rpm-ostree-bootstatus rpm-ostree-countme rpm-ostree-fix-shadow-mode rpm-ostreed rpm-ostreed-automatic rtas_errd
selinux-autorelabel selinux-autorelabel-mark selinux-check-proper-disable serial-getty@ sshd sshd-keygen@ sshd@
sssd sssd-kcm stalld sysstat system-update-cleanup systemd-ask-password-console systemd-ask-password-wall
systemd-backlight@ systemd-battery-check systemd-binfmt systemd-boot-check-no-failures systemd-boot-random-seed
systemd-boot-update systemd-confext systemd-coredump@ systemd-exit systemd-firstboot systemd-fsck-root
systemd-fsck@ systemd-growfs-root systemd-growfs@ systemd-halt systemd-hibernate systemd-hibernate-resume@
systemd-homed systemd-hostnamed systemd-hwdb-update systemd-hybrid-sleep systemd-initctl
systemd-journal-catalog-update systemd-journal-flush systemd-journal-gatewayd systemd-journal-remote
systemd-journal-upload systemd-journald systemd-journald@ systemd-kexec systemd-localed systemd-logind
systemd-machine-id-commit systemd-modules-load systemd-network-generator systemd-networkd
systemd-networkd-wait-online systemd-oomd systemd-pcrmachine systemd-pcrphase systemd-pcrphase-initrd
systemd-pcrphase-sysinit systemd-portabled systemd-poweroff systemd-pstore systemd-quotacheck
systemd-random-seed systemd-reboot systemd-remount-fs systemd-repart systemd-resolved systemd-rfkill
systemd-suspend systemd-suspend-then-hibernate systemd-sysctl systemd-sysext systemd-sysupdate systemd-sysusers
systemd-time-wait-sync systemd-timedated systemd-timesyncd systemd-tmpfiles-clean systemd-tmpfiles-setup
systemd-tmpfiles-setup-dev systemd-udev-settle systemd-udev-trigger systemd-udevd systemd-update-done
systemd-update-utmp systemd-update-utmp-runlevel systemd-user-sessions systemd-userdbd systemd-vconsole-setup
systemd-volatile-root systemd-zram-setup@ teamd@ tuned unbound-anchor usbguard user-runtime-dir@ user@ vgauthd
vmtoolsd vsphere-hostname wait-for-primary-ip wpa_supplicant zincati
";

/// Sockets, timers and paths.
const OTHERS: &str = "
avahi-daemon.socket bootupd.socket clevis-luks-askpass.path dbus.socket dm-event.socket fstrim.timer
iscsid.socket iscsiuio.socket logrotate.timer lvm2-lvmpolld.socket mdadm-last-resort@.timer multipathd.socket
ostree-finalize-staged.path podman-auto-update.timer podman.socket raid-check.timer rpcbind.socket
rpm-ostree-countme.timer rpm-ostreed-automatic.timer sshd.socket sssd-kcm.socket syslog.socket
systemd-ask-password-console.path systemd-ask-password-wall.path systemd-coredump.socket systemd-fsckd.socket
systemd-initctl.socket systemd-journal-gatewayd.socket systemd-journal-remote.socket
systemd-journald-audit.socket systemd-journald-dev-log.socket systemd-journald-varlink@.socket
systemd-journald.socket systemd-journald@.socket systemd-networkd.socket systemd-oomd.socket
systemd-rfkill.socket systemd-sysext.socket systemd-tmpfiles-clean.timer systemd-udevd-control.socket
systemd-udevd-kernel.socket systemd-userdbd.socket unbound-anchor.timer
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_system() {
        for name in [
            "network-online.target",
            "crio.service",
            "getty@.service",
            "dev-sda1.device",
            "var-lib.mount",
            "podman.socket",
        ] {
            assert!(is_known(name), "{name}");
        }
        for name in ["agent.service", "network-online", "", "podman.timer"] {
            assert!(!is_known(name), "{name}");
        }
    }
}
