#include "textflag.h"

// SHA-256 of two contents of one length at once. The instructions of one hash
// wait for one another most of the time; those of a second fill the gaps.
//
// X1, X2 and X3, X4 are the states as the instructions want them (ABEF, CDGH),
// X5 to X8 and X9 to X12 the message schedules, X0 and X13 scratch, X15 the
// byte order. Names and order of steps follow FIPS 180-4, section 6.2.2.

DATA k256<>+0x00(SB)/8, $0x71374491428a2f98
DATA k256<>+0x08(SB)/8, $0xe9b5dba5b5c0fbcf
DATA k256<>+0x10(SB)/8, $0x59f111f13956c25b
DATA k256<>+0x18(SB)/8, $0xab1c5ed5923f82a4
DATA k256<>+0x20(SB)/8, $0x12835b01d807aa98
DATA k256<>+0x28(SB)/8, $0x550c7dc3243185be
DATA k256<>+0x30(SB)/8, $0x80deb1fe72be5d74
DATA k256<>+0x38(SB)/8, $0xc19bf1749bdc06a7
DATA k256<>+0x40(SB)/8, $0xefbe4786e49b69c1
DATA k256<>+0x48(SB)/8, $0x240ca1cc0fc19dc6
DATA k256<>+0x50(SB)/8, $0x4a7484aa2de92c6f
DATA k256<>+0x58(SB)/8, $0x76f988da5cb0a9dc
DATA k256<>+0x60(SB)/8, $0xa831c66d983e5152
DATA k256<>+0x68(SB)/8, $0xbf597fc7b00327c8
DATA k256<>+0x70(SB)/8, $0xd5a79147c6e00bf3
DATA k256<>+0x78(SB)/8, $0x1429296706ca6351
DATA k256<>+0x80(SB)/8, $0x2e1b213827b70a85
DATA k256<>+0x88(SB)/8, $0x53380d134d2c6dfc
DATA k256<>+0x90(SB)/8, $0x766a0abb650a7354
DATA k256<>+0x98(SB)/8, $0x92722c8581c2c92e
DATA k256<>+0xa0(SB)/8, $0xa81a664ba2bfe8a1
DATA k256<>+0xa8(SB)/8, $0xc76c51a3c24b8b70
DATA k256<>+0xb0(SB)/8, $0xd6990624d192e819
DATA k256<>+0xb8(SB)/8, $0x106aa070f40e3585
DATA k256<>+0xc0(SB)/8, $0x1e376c0819a4c116
DATA k256<>+0xc8(SB)/8, $0x34b0bcb52748774c
DATA k256<>+0xd0(SB)/8, $0x4ed8aa4a391c0cb3
DATA k256<>+0xd8(SB)/8, $0x682e6ff35b9cca4f
DATA k256<>+0xe0(SB)/8, $0x78a5636f748f82ee
DATA k256<>+0xe8(SB)/8, $0x8cc7020884c87814
DATA k256<>+0xf0(SB)/8, $0xa4506ceb90befffa
DATA k256<>+0xf8(SB)/8, $0xc67178f2bef9a3f7
GLOBL k256<>(SB), RODATA|NOPTR, $256

DATA bigEndian<>+0x00(SB)/8, $0x0405060700010203
DATA bigEndian<>+0x08(SB)/8, $0x0c0d0e0f08090a0b
GLOBL bigEndian<>(SB), RODATA|NOPTR, $16

#define LOAD(from, m) \
	MOVOU from, m; PSHUFB X15, m

// ROUNDS does four rounds with the words in m.
#define ROUNDS(k, m, abef, cdgh) \
	MOVOU k(AX), X0; PADDD m, X0; \
	SHA256RNDS2 X0, abef, cdgh; \
	PSHUFD $0x0e, X0, X0; \
	SHA256RNDS2 X0, cdgh, abef

// SCHEDULE does the same, and completes the next four words of the schedule.
#define SCHEDULE(k, m, prev, next, abef, cdgh) \
	MOVOU k(AX), X0; PADDD m, X0; \
	SHA256RNDS2 X0, abef, cdgh; \
	MOVOA m, X13; PALIGNR $4, prev, X13; PADDD X13, next; SHA256MSG2 m, next; \
	PSHUFD $0x0e, X0, X0; \
	SHA256RNDS2 X0, cdgh, abef; \
	SHA256MSG1 m, prev

// ENTER and LEAVE turn eight words, A to H, into the order of the instructions
// and back.
#define ENTER(at, abef, cdgh) \
	MOVOU at(DX), X13; MOVOU at+16(DX), cdgh; \
	PSHUFD $0xb1, X13, X13; PSHUFD $0x1b, cdgh, cdgh; \
	MOVOA X13, abef; PALIGNR $8, cdgh, abef; PBLENDW $0xf0, X13, cdgh

#define LEAVE(at, abef, cdgh) \
	PSHUFD $0x1b, abef, X13; PSHUFD $0xb1, cdgh, cdgh; \
	MOVOA X13, abef; PBLENDW $0xf0, cdgh, abef; PALIGNR $8, X13, cdgh; \
	MOVOU abef, at(DX); MOVOU cdgh, at+16(DX)

#define ADD(at, x) \
	MOVOU at(SP), X13; PADDD X13, x

// func blocks2(states *[2][8]uint32, a, b *byte, n int)
TEXT ·blocks2(SB), NOSPLIT, $64-32
	MOVQ states+0(FP), DX
	MOVQ a+8(FP), SI
	MOVQ b+16(FP), DI
	MOVQ n+24(FP), CX
	LEAQ k256<>(SB), AX
	MOVOU bigEndian<>(SB), X15
	ENTER(0, X1, X2)
	ENTER(32, X3, X4)

block:
	MOVOU X1, 0(SP)
	MOVOU X2, 16(SP)
	MOVOU X3, 32(SP)
	MOVOU X4, 48(SP)

	LOAD(0(SI), X5)
	ROUNDS(0, X5, X1, X2)
	LOAD(0(DI), X9)
	ROUNDS(0, X9, X3, X4)

	LOAD(16(SI), X6)
	ROUNDS(16, X6, X1, X2)
	SHA256MSG1 X6, X5
	LOAD(16(DI), X10)
	ROUNDS(16, X10, X3, X4)
	SHA256MSG1 X10, X9

	LOAD(32(SI), X7)
	ROUNDS(32, X7, X1, X2)
	SHA256MSG1 X7, X6
	LOAD(32(DI), X11)
	ROUNDS(32, X11, X3, X4)
	SHA256MSG1 X11, X10

	LOAD(48(SI), X8)
	SCHEDULE(48, X8, X7, X5, X1, X2)
	LOAD(48(DI), X12)
	SCHEDULE(48, X12, X11, X9, X3, X4)

	SCHEDULE(64, X5, X8, X6, X1, X2)
	SCHEDULE(64, X9, X12, X10, X3, X4)

	SCHEDULE(80, X6, X5, X7, X1, X2)
	SCHEDULE(80, X10, X9, X11, X3, X4)

	SCHEDULE(96, X7, X6, X8, X1, X2)
	SCHEDULE(96, X11, X10, X12, X3, X4)

	SCHEDULE(112, X8, X7, X5, X1, X2)
	SCHEDULE(112, X12, X11, X9, X3, X4)

	SCHEDULE(128, X5, X8, X6, X1, X2)
	SCHEDULE(128, X9, X12, X10, X3, X4)

	SCHEDULE(144, X6, X5, X7, X1, X2)
	SCHEDULE(144, X10, X9, X11, X3, X4)

	SCHEDULE(160, X7, X6, X8, X1, X2)
	SCHEDULE(160, X11, X10, X12, X3, X4)

	SCHEDULE(176, X8, X7, X5, X1, X2)
	SCHEDULE(176, X12, X11, X9, X3, X4)

	SCHEDULE(192, X5, X8, X6, X1, X2)
	SCHEDULE(192, X9, X12, X10, X3, X4)

	SCHEDULE(208, X6, X5, X7, X1, X2)
	SCHEDULE(208, X10, X9, X11, X3, X4)

	SCHEDULE(224, X7, X6, X8, X1, X2)
	SCHEDULE(224, X11, X10, X12, X3, X4)

	ROUNDS(240, X8, X1, X2)
	ROUNDS(240, X12, X3, X4)

	ADD(0, X1)
	ADD(16, X2)
	ADD(32, X3)
	ADD(48, X4)
	ADDQ $64, SI
	ADDQ $64, DI
	DECQ CX
	JNZ  block

	LEAVE(0, X1, X2)
	LEAVE(32, X3, X4)
	RET

// func cpuid7() (ebx uint32)
TEXT ·cpuid7(SB), NOSPLIT, $0-4
	XORL AX, AX
	CPUID
	CMPL AX, $7
	JB   none
	MOVL $7, AX
	XORL CX, CX
	CPUID
	MOVL BX, ebx+0(FP)
	RET

none:
	MOVL $0, ebx+0(FP)
	RET
