#include "textflag.h"

// V0 to V7 hold a block each, V16 to V30 the round keys, which lie in memory
// as type schedule says. AESE adds a round key before it substitutes, so that
// the last key is added alone.

#define ROUND1(key, v) \
	AESE key.B16, v.B16; \
	AESMC v.B16, v.B16

#define ROUND(key) \
	ROUND1(key, V0); ROUND1(key, V1); ROUND1(key, V2); ROUND1(key, V3); \
	ROUND1(key, V4); ROUND1(key, V5); ROUND1(key, V6); ROUND1(key, V7)

#define LAST1(v) \
	AESE V29.B16, v.B16; \
	VEOR V30.B16, v.B16, v.B16

#define NEXT(v) \
	VORR V8.B16, V8.B16, v.B16; \
	VADD V9.S4, V8.S4, V8.S4

#define COMBINE(v, data) \
	VEOR data.B16, v.B16, v.B16

// func xorAESE(keys *schedule, rounds int, counter *[16]byte, p []byte)
TEXT ·xorAESE(SB), NOSPLIT, $0-48
	MOVD keys+0(FP), R0
	MOVD rounds+8(FP), R1
	MOVD counter+16(FP), R2
	MOVD p_base+24(FP), R3
	MOVD p_len+32(FP), R4

	VLD1.P 64(R0), [V16.B16, V17.B16, V18.B16, V19.B16]
	VLD1.P 64(R0), [V20.B16, V21.B16, V22.B16, V23.B16]
	VLD1.P 64(R0), [V24.B16, V25.B16, V26.B16, V27.B16]
	VLD1   (R0), [V28.B16, V29.B16, V30.B16]

	// V9: 1 in the last word of a block, the counter.
	VLD1 (R2), [V8.B16]
	VEOR V9.B16, V9.B16, V9.B16
	MOVD $1, R5
	VMOV R5, V9.S[3]
	MOVD R3, R6

blocks:
	NEXT(V0)
	NEXT(V1)
	NEXT(V2)
	NEXT(V3)
	NEXT(V4)
	NEXT(V5)
	NEXT(V6)
	NEXT(V7)

	CMP $10, R1
	BEQ common
	ROUND(V16)
	ROUND(V17)
	ROUND(V18)
	ROUND(V19)

common:
	ROUND(V20)
	ROUND(V21)
	ROUND(V22)
	ROUND(V23)
	ROUND(V24)
	ROUND(V25)
	ROUND(V26)
	ROUND(V27)
	ROUND(V28)
	LAST1(V0)
	LAST1(V1)
	LAST1(V2)
	LAST1(V3)
	LAST1(V4)
	LAST1(V5)
	LAST1(V6)
	LAST1(V7)

	VLD1.P 64(R3), [V10.B16, V11.B16, V12.B16, V13.B16]
	COMBINE(V0, V10)
	COMBINE(V1, V11)
	COMBINE(V2, V12)
	COMBINE(V3, V13)
	VST1.P [V0.B16, V1.B16, V2.B16, V3.B16], 64(R6)
	VLD1.P 64(R3), [V10.B16, V11.B16, V12.B16, V13.B16]
	COMBINE(V4, V10)
	COMBINE(V5, V11)
	COMBINE(V6, V12)
	COMBINE(V7, V13)
	VST1.P [V4.B16, V5.B16, V6.B16, V7.B16], 64(R6)

	SUBS $128, R4, R4
	BNE  blocks
	RET
