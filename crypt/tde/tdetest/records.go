package tdetest

import "encoding/binary"

// Rotation is the payload of the record that rotates a scope's principal key.
func Rotation(scope uint32, provider int32, name string) []byte {
	b := make([]byte, 264)
	binary.LittleEndian.PutUint32(b, scope)
	binary.LittleEndian.PutUint32(b[4:], uint32(provider))
	copy(b[8:], name)
	return b
}

// ProviderWrite is the payload of the record that writes a Provider at an
// offset of a scope's file.
func ProviderWrite(scope uint32, offset uint64, provider []byte) []byte {
	b := make([]byte, 16, 16+len(provider))
	binary.LittleEndian.PutUint32(b, scope)
	binary.LittleEndian.PutUint64(b[8:], offset)
	return append(b, provider...)
}

// RelationKeys is a file of relation keys that holds nothing but its header.
func RelationKeys(scope uint32, f KeyFile) []byte {
	f = f.withDefaults()
	b := f.header()
	copy(b, []byte{'T', 'D', 'E', 4})
	binary.LittleEndian.PutUint32(b[8:], scope)
	copy(b[304:], f.seal(b[288:304], b[8:288], nil))
	return b
}
