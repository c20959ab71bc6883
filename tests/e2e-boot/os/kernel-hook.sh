#!/bin/sh
# Unpacks the kernel without its maintainer scripts, which would build an initrd. Not straight into /: the package has ./lib as a
# directory, and dpkg-deb -x would put it in place of the link of the merged /usr.
set -e
chroot "$1" sh -ec '
  cd /tmp
  k=$(apt-cache depends linux-image-cloud-amd64 | sed -n "s/.*Depends: \(linux-image-[0-9].*\)/\1/p" | head -1)
  apt-get -q download "$k"
  dpkg-deb -x linux-image-*.deb k
  mkdir -p /usr/lib/modules /boot
  mv k/lib/modules/* /usr/lib/modules/
  mv k/boot/* /boot/
  rm -rf k linux-image-*.deb'
