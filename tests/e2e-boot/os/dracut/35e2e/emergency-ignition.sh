#!/bin/sh
# What CoreOS's ignition-emergency shell prints: say why before the emergency shell (or rd.emergency=poweroff).
{
echo "=== boot failed in the initrd; Ignition's last lines:"
journalctl -b --no-pager -o cat -t ignition -t make-sysroot 2>/dev/null | tail -n 25
echo "=== end"
} > /dev/console 2>&1
