#include "textflag.h"

// Counter blocks count in their last word, whatever their number overflows
// into: VPADDD and PADDD add to words. Round keys lie as type schedule says.

// lanes is 0, 1, 2, 3 in the last words of four blocks.
DATA lanes<>+0x00(SB)/8, $0
DATA lanes<>+0x08(SB)/8, $0x0000000000000000
DATA lanes<>+0x10(SB)/8, $0
DATA lanes<>+0x18(SB)/8, $0x0000000100000000
DATA lanes<>+0x20(SB)/8, $0
DATA lanes<>+0x28(SB)/8, $0x0000000200000000
DATA lanes<>+0x30(SB)/8, $0
DATA lanes<>+0x38(SB)/8, $0x0000000300000000
GLOBL lanes<>(SB), RODATA|NOPTR, $64

// four is 4 in the last word of a block.
DATA four<>+0x00(SB)/8, $0
DATA four<>+0x08(SB)/8, $0x0000000400000000
GLOBL four<>(SB), RODATA|NOPTR, $16

// Z0 to Z7 hold four blocks each, Z16 to Z30 the round keys.
#define EACH8(op, key) \
	op key, Z0, Z0; op key, Z1, Z1; op key, Z2, Z2; op key, Z3, Z3; \
	op key, Z4, Z4; op key, Z5, Z5; op key, Z6, Z6; op key, Z7, Z7

#define NEXT4(z) \
	VMOVDQA64 Z8, z; VPADDD Z9, Z8, Z8

#define COMBINE4(offset, z) \
	VPXORD offset(DI), z, z; VMOVDQU64 z, offset(DI)

// func xorVAES(keys *schedule, rounds int, counter *[16]byte, p []byte)
TEXT ·xorVAES(SB), NOSPLIT, $0-48
	MOVQ keys+0(FP), AX
	MOVQ rounds+8(FP), CX
	MOVQ counter+16(FP), DX
	MOVQ p_base+24(FP), DI
	MOVQ p_len+32(FP), SI

	VBROADCASTI32X4 0(DX), Z8
	VPADDD          lanes<>(SB), Z8, Z8
	VBROADCASTI32X4 four<>(SB), Z9

	VBROADCASTI32X4 0(AX), Z16
	VBROADCASTI32X4 16(AX), Z17
	VBROADCASTI32X4 32(AX), Z18
	VBROADCASTI32X4 48(AX), Z19
	VBROADCASTI32X4 64(AX), Z20
	VBROADCASTI32X4 80(AX), Z21
	VBROADCASTI32X4 96(AX), Z22
	VBROADCASTI32X4 112(AX), Z23
	VBROADCASTI32X4 128(AX), Z24
	VBROADCASTI32X4 144(AX), Z25
	VBROADCASTI32X4 160(AX), Z26
	VBROADCASTI32X4 176(AX), Z27
	VBROADCASTI32X4 192(AX), Z28
	VBROADCASTI32X4 208(AX), Z29
	VBROADCASTI32X4 224(AX), Z30

batch:
	NEXT4(Z0)
	NEXT4(Z1)
	NEXT4(Z2)
	NEXT4(Z3)
	NEXT4(Z4)
	NEXT4(Z5)
	NEXT4(Z6)
	NEXT4(Z7)

	CMPQ CX, $10
	JE   short
	EACH8(VPXORD, Z16)
	EACH8(VAESENC, Z17)
	EACH8(VAESENC, Z18)
	EACH8(VAESENC, Z19)
	EACH8(VAESENC, Z20)
	JMP  common

short:
	EACH8(VPXORD, Z20)

common:
	EACH8(VAESENC, Z21)
	EACH8(VAESENC, Z22)
	EACH8(VAESENC, Z23)
	EACH8(VAESENC, Z24)
	EACH8(VAESENC, Z25)
	EACH8(VAESENC, Z26)
	EACH8(VAESENC, Z27)
	EACH8(VAESENC, Z28)
	EACH8(VAESENC, Z29)
	EACH8(VAESENCLAST, Z30)

	COMBINE4(0, Z0)
	COMBINE4(64, Z1)
	COMBINE4(128, Z2)
	COMBINE4(192, Z3)
	COMBINE4(256, Z4)
	COMBINE4(320, Z5)
	COMBINE4(384, Z6)
	COMBINE4(448, Z7)

	ADDQ $512, DI
	SUBQ $512, SI
	JNZ  batch
	VZEROUPPER
	RET

// X0 to X7 hold a block each.
#define EACH1(op, key) \
	op key, X0; op key, X1; op key, X2; op key, X3; \
	op key, X4; op key, X5; op key, X6; op key, X7

#define NEXT1(x) \
	MOVOA X9, x; PADDD X10, X9

#define COMBINE1(offset, x) \
	MOVOU offset(DI), X8; PXOR X8, x; MOVOU x, offset(DI)

// func xorAESNI(keys *schedule, rounds int, counter *[16]byte, p []byte)
TEXT ·xorAESNI(SB), NOSPLIT, $0-48
	MOVQ keys+0(FP), AX
	MOVQ rounds+8(FP), CX
	MOVQ counter+16(FP), DX
	MOVQ p_base+24(FP), DI
	MOVQ p_len+32(FP), SI

	// DX: the last round key, AX: the first.
	MOVOU  (DX), X9
	LEAQ   224(AX), DX
	SHLQ   $4, CX
	MOVQ   DX, AX
	SUBQ   CX, AX
	MOVQ   $1<<32, BX
	MOVQ   BX, X10
	PSLLDQ $8, X10

blocks:
	NEXT1(X0)
	NEXT1(X1)
	NEXT1(X2)
	NEXT1(X3)
	NEXT1(X4)
	NEXT1(X5)
	NEXT1(X6)
	NEXT1(X7)

	MOVOU (AX), X8
	EACH1(PXOR, X8)
	LEAQ  16(AX), BX

round:
	MOVOU (BX), X8
	EACH1(AESENC, X8)
	ADDQ  $16, BX
	CMPQ  BX, DX
	JNE   round
	MOVOU (DX), X8
	EACH1(AESENCLAST, X8)

	COMBINE1(0, X0)
	COMBINE1(16, X1)
	COMBINE1(32, X2)
	COMBINE1(48, X3)
	COMBINE1(64, X4)
	COMBINE1(80, X5)
	COMBINE1(96, X6)
	COMBINE1(112, X7)

	ADDQ $128, DI
	SUBQ $128, SI
	JNZ  blocks
	RET
