package daemon

import (
	"context"

	"sluice/cmd/sluice/build/secret"
	"sluice/console/public/proof"
	"sluice/dns"
)

// newProver lets postmasters prove their domains on the pages of refusals; nil where
// nobody can be asked. Codes come from the keys that seal references, so that both are
// good on the same nodes.
func newProver(keys [][]byte, r dns.Resolver) (*proof.Prover, error) {
	if r == nil {
		return nil, nil
	}
	c := proof.Config{TXT: func(ctx context.Context, name string) ([]string, error) {
		texts, err := dns.LookupTXT(ctx, r, name)
		if dns.NotFound(err) {
			return nil, nil
		}
		return texts, err
	}}
	for _, k := range keys {
		c.Keys = append(c.Keys, secret.For(k, "proof"))
	}
	return proof.New(c)
}
