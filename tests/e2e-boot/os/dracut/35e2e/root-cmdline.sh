#!/bin/sh
# dracut refuses to boot without a root= that it understands; here e2e-root-generator makes /sysroot.
if [ -z "$root" ]; then root=e2e; rootok=1; fi
