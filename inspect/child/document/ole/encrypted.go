package ole

// package_ states that the document within is encrypted, [MS-OFFCRYPTO] 2.3.4.4.
func (f *file) package_(_ []byte) error {
	f.encrypted("EncryptedPackage")
	return nil
}
