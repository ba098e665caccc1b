package build

import (
	"crypto"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"sluice/config"
	"sluice/gate"
	"sluice/gate/route"
	"sluice/mailauth/arc"
	"sluice/mailauth/dkim"
	"sluice/mailauth/key"
)

// keyring reads the configured keys; nil where there are none.
func keyring(cfg *config.Config) (*dkim.Keyring, error) {
	if len(cfg.Sign) == 0 {
		return nil, nil
	}
	var keys []dkim.RingKey
	for _, s := range cfg.Sign {
		k, err := ReadKey(s.Key)
		if err != nil {
			return nil, fmt.Errorf("sign: the key of %s, selector %s: %w", s.Domain, s.Selector, err)
		}
		keys = append(keys, dkim.RingKey{Domain: s.Domain, Selector: s.Selector, Key: k, NotBefore: s.NotBefore.Time})
	}
	ring, err := dkim.NewKeyring(keys...)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	return ring, nil
}

// Signer makes what signs mail with the configured keys; nil where there are
// none. It returns no fields for a domain without a key that is due.
func Signer(cfg *config.Config) (func(raw []byte, domain string, now time.Time) ([]byte, error), error) {
	ring, err := keyring(cfg)
	if err != nil || ring == nil {
		return nil, err
	}
	return func(raw []byte, domain string, now time.Time) ([]byte, error) {
		opts := ring.At(domain, now)
		if len(opts) == 0 {
			return nil, nil
		}
		return dkim.Sign(raw, now, opts...)
	}, nil
}

// Sealer makes what seals changed mail for a domain with its keys (RFC 8617); nil
// where there are none. An RSA key goes first: hardly anybody checks others yet.
func Sealer(cfg *config.Config) (func(raw []byte, domain, results string, chain arc.Result, now time.Time) ([]byte, error), error) {
	ring, err := keyring(cfg)
	if err != nil || ring == nil {
		return nil, err
	}
	return func(raw []byte, domain, results string, chain arc.Result, now time.Time) ([]byte, error) {
		opts := ring.At(domain, now)
		if len(opts) == 0 {
			return nil, nil
		}
		with := opts[0]
		for _, o := range opts {
			if _, ok := o.Key.Public().(*rsa.PublicKey); ok {
				with = o
			}
		}
		return arc.Seal(raw, now, arc.SealOptions{Domain: with.Domain, Selector: with.Selector, Key: with.Key,
			AuthServID: cfg.Hostname, Results: results, Chain: chain})
	}, nil
}

// AddSigning gives a gate without next hops what it needs to sign: the keys, and
// which routes sign.
func AddSigning(cfg *config.Config, set *gate.Settings) error {
	sign, err := Signer(cfg)
	if err != nil || sign == nil {
		return err
	}
	set.Sign = sign
	set.Routes = route.Table{ByDomain: map[string]*route.Route{}, Default: cfg.Domains[0].Names[0]}
	for _, d := range cfg.Domains {
		for _, n := range d.Names {
			set.Routes.ByDomain[n] = &route.Route{Tenant: d.Tenant, Sign: d.Sign}
		}
	}
	return nil
}

// ReadKey reads a private key from a PEM file that nobody else may read.
func ReadKey(path string) (crypto.Signer, error) {
	text, err := readSecret(path)
	if err != nil {
		return nil, err
	}
	k, err := key.ParsePrivate(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return k, nil
}

// maxSecret is more than any key or password needs.
const maxSecret = 64 << 10

// readSecret reads a file that nobody but its owner may read or change.
func readSecret(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if mode := st.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("%s can be read or changed by others (mode %04o); chmod 600 it", path, mode)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err == nil && len(text) > maxSecret {
		err = errors.New("the file is too long for a key or a password")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return text, nil
}
