package main

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"sluice/cmd/sluice/build"
	"sluice/mailauth/dkim"
)

type keyCmd struct {
	New  keyNewCmd  `cmd:"" help:"Make a key and print the DNS record to publish."`
	Show keyShowCmd `cmd:"" help:"Print the DNS record of a key."`
}

// keyName is where a key's record stands in the DNS.
type keyName struct {
	Domain   string `required:"" help:"Domain that signs (d=)." placeholder:"DOMAIN"`
	Selector string `required:"" help:"Name of this key (s=), such as 2027a: every key has its own." placeholder:"NAME"`
}

type keyNewCmd struct {
	keyName
	Type string `default:"rsa" enum:"rsa,ed25519" help:"rsa, which every verifier knows, or ed25519 beside it."`
	Bits int    `default:"2048" help:"Size of an RSA key: 2048 to 4096."`
	Out  string `required:"" type:"path" help:"File for the private key; must not exist." placeholder:"FILE"`
}

// Run makes a key. What fails leaves no file behind.
func (c *keyNewCmd) Run(a *app) error {
	k, err := c.make()
	if err != nil {
		return err
	}
	record, err := c.record(k)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		return fmt.Errorf("key: %w", err)
	}
	if err := writeNew(c.Out, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})); err != nil {
		return err
	}
	fmt.Fprintf(a.stderr, "The private key is in %s; only you can read it. Once the record is in the DNS, let the key sign:\n\n"+
		"[[sign]]\ndomain   = %q\nselector = %q\nkey      = %q\n\n", c.Out, c.Domain, c.Selector, absolute(c.Out))
	return record.print(a.stdout)
}

func (c *keyNewCmd) make() (crypto.Signer, error) {
	if c.Type == "ed25519" {
		_, k, err := ed25519.GenerateKey(rand.Reader)
		return k, err
	}
	// RFC 8301 3.2: at least 2048 bits should be used, and verifiers need take no
	// more than 4096.
	if c.Bits < 2048 || c.Bits > 4096 {
		return nil, fmt.Errorf("key: --bits %d: want 2048 to 4096", c.Bits)
	}
	return rsa.GenerateKey(rand.Reader, c.Bits)
}

// writeNew writes a file that only its owner may read, and none that exists.
func writeNew(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("key: %s exists; a key that is in use must not be overwritten: choose another file", path)
	}
	if err != nil {
		return fmt.Errorf("key: %w", err)
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		_ = os.Remove(path) // half a key is none; the first error is the one to tell
		return fmt.Errorf("key: %w", err)
	}
	return nil
}

func absolute(path string) string {
	if a, err := filepath.Abs(path); err == nil {
		return a
	}
	return path
}

type keyShowCmd struct {
	File string `arg:"" type:"path" help:"The private key (PEM)."`
	keyName
}

// Run prints the record of a key that exists.
func (c *keyShowCmd) Run(a *app) error {
	k, err := build.ReadKey(c.File)
	if err != nil {
		return fmt.Errorf("key: %w", err)
	}
	record, err := c.record(k)
	if err != nil {
		return err
	}
	return record.print(a.stdout)
}

// txtRecord is a TXT record by name and text.
type txtRecord struct{ name, text string }

func (n keyName) record(k crypto.Signer) (txtRecord, error) {
	ring, err := dkim.NewKeyring(dkim.RingKey{Domain: n.Domain, Selector: n.Selector, Key: k})
	if err != nil {
		return txtRecord{}, err
	}
	records, err := ring.Records()
	if err != nil {
		return txtRecord{}, err
	}
	return txtRecord{records[0][0], records[0][1]}, nil
}

// print writes the record for a form and for a zone file, where a string of more
// than 255 octets must be several (RFC 1035 3.3.14).
func (r txtRecord) print(w io.Writer) error {
	var parts []string
	for rest := r.text; rest != ""; {
		n := min(len(rest), 255)
		parts = append(parts, strconv.Quote(rest[:n]))
		rest = rest[n:]
	}
	_, err := fmt.Fprintf(w, "name  %s\ntype  TXT\ntext  %s\n\nAs a zone file has it:\n%s. IN TXT ( %s )\n", r.name, r.text, r.name, strings.Join(parts, "\n\t"))
	return err
}
