# The first sector of an appliance, for machines with a BIOS: starts ISOLINUX out of the ISO in a partition.
#
#   as --32 -o boot.o boot.S && ld -m elf_i386 -Ttext 0x7c00 --oformat binary -o boot.bin boot.o
#
# The BIOS loads the sector to 0:7c00 and jumps there, DL = drive, ES:DI = its plug-and-play table. ISOLINUX (4 and later) has an entry
# for disks 0x44 into its file, behind the signature 0x7078c0fb; it wants the first 2 KiB of its file at 0:7c00 and on the stack, from
# the top: a word that is 1 when disks are read by address (int 13h, 42h), sectors per track, heads (both unused then), DX, DI, ES, and
# eight bytes: the sector that the ISO begins at, which it adds to every address. The writer of the disk fills in the two addresses at
# the end. All numbers count sectors of 512 bytes.

        .code16
        .globl  _start

        .equ    LOADED, 0x7c00          # where the BIOS puts this and ISOLINUX wants to be
        .equ    HERE, 0x600             # where this goes on
        .equ    AWAY, HERE - LOADED
        .equ    SECTORS, 4              # 2 KiB
        .equ    SIGNATURE, 0x7078c0fb

_start: cli
        xor     %ax, %ax
        mov     %ax, %ss
        mov     $LOADED, %sp
        mov     %ax, %ds
        sti
        cld
        pushl   iso + 4                 # what ISOLINUX pops, bottom first
        pushl   iso
        push    %es
        push    %di
        push    %dx
        push    $255                    # heads
        push    $63                     # sectors per track
        push    $1                      # by address

        mov     %ax, %es                # out of the way of ISOLINUX
        mov     $LOADED, %si
        mov     $HERE, %di
        mov     $256, %cx
        rep movsw
        ljmp    $0, $(1f + AWAY)

1:      mov     $0x41, %ah              # can this BIOS read by address?
        mov     $0x55aa, %bx
        push    %dx
        int     $0x13
        pop     %dx
        mov     $(oldbios + AWAY), %si
        jc      fail
        cmp     $0xaa55, %bx
        jne     fail
        test    $1, %cl
        jz      fail

        mov     $(packet + AWAY), %si
        mov     $0x42, %ah
        int     $0x13
        mov     $(unread + AWAY), %si
        jc      fail
        mov     $(missing + AWAY), %si
        cmpl    $SIGNATURE, LOADED + 0x40
        jne     fail
        cli                             # the entry of ISOLINUX takes the stack as it is
        ljmp    $0, $(LOADED + 0x44)

fail:   lodsb                           # says why, then lets the BIOS try the next disk
        test    %al, %al
        jz      2f
        mov     $0x0e, %ah
        mov     $7, %bx
        int     $0x10
        jmp     fail
2:      int     $0x18
3:      hlt
        jmp     3b

oldbios: .asciz "snoforge: this BIOS cannot read disks by address\r\n"
unread:  .asciz "snoforge: the boot loader cannot be read\r\n"
missing: .asciz "snoforge: no ISOLINUX where it must be\r\n"

        .org    424 - 8
packet: .byte   16, 0                   # int 13h, 42h: disk address packet
        .word   SECTORS
        .word   LOADED, 0               # to offset, segment
isolinux: .quad 0                       # 424: where isolinux.bin begins
iso:    .quad   0                       # 432: where the ISO begins
