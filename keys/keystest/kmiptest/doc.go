// Package kmiptest has what tests of KMIP need: certificates, a listener for
// services that misbehave, and Cosmian, a service in memory with the rules
// that the documentation of Cosmian KMS gives. It shares its codec with the
// driver; that the bytes on the wire are right is proven elsewhere, against
// PyKMIP.
package kmiptest
