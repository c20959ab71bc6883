#!/bin/sh
# What CoreOS's ignition-emergency shell prints: say why before the emergency shell (or rd.emergency=poweroff).
{
echo "=== boot failed in the initrd; the last lines:"
journalctl -b --no-pager -o short-monotonic _TRANSPORT=stdout _TRANSPORT=syslog 2>/dev/null | tail -n 40
echo "=== end"
} > /dev/console 2>&1
