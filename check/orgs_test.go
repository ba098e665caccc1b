package check_test

import (
	"fmt"
	"sync"
	"testing"

	"sluice/check"
	"sluice/message/links"
)

// What is remembered is what links.OrgDomain says, however many ask at a time and
// however many hosts there are.
func TestOrgs(t *testing.T) {
	in := &check.Input{Notes: new(check.Notes)}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			o := check.OrgsOf(in)
			for i := range 3000 {
				host := fmt.Sprintf("a.b%d.co.uk", i%1500)
				if got, want := o.Of(host), links.OrgDomain(host); got != want {
					t.Errorf("%s: got %q, want %q", host, got, want)
				}
			}
		})
	}
	wg.Wait()
	if first, second := check.OrgsOf(in), check.OrgsOf(in); first != second {
		t.Error("a message's hosts are forgotten between checks")
	}
	if got := check.OrgsOf(&check.Input{}).Of("www.example.org"); got != "example.org" {
		t.Errorf("without notes: %q", got)
	}
}
