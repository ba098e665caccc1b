package correspondent

import "testing"

func TestPeople(t *testing.T) {
	p, err := NewPeople([]Protected{{"Ann Archer", []string{"ann@example.net", "ann.archer@gmail.com"}}, {"José Müller", []string{"jm@example.net"}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, address string
		want          bool
	}{
		{"Ann Archer", "ceo.office@gmail.com", true}, {"ANN ARCHER (CEO)", "x@evil.example", true}, {"Archer, Ann", "x@evil.example", true},
		{"Аnn Аrcher", "x@evil.example", true}, {"Dr. José Müller", "x@evil.example", true},
		{"Ann Archer", "ann@example.net", false}, {"Ann Archer", "Ann.Archer+tag@gmail.com", false},
		{"Ann", "x@evil.example", false}, {"Ann Bowman", "x@evil.example", false}, {"", "", false},
	} {
		if got := p.Uses(Mailbox{c.name, c.address}); got != c.want {
			t.Errorf("%s <%s>: %v", c.name, c.address, got)
		}
	}
	if (*People)(nil).Uses(Mailbox{"Ann Archer", "x@evil.example"}) {
		t.Error("no list knows somebody")
	}
	for _, bad := range []Protected{{"Ann", []string{"ann@example.net"}}, {"Ann Archer", nil}, {"Ann Archer", []string{"ann"}}} {
		if _, err := NewPeople([]Protected{bad}); err == nil {
			t.Errorf("%v is taken", bad)
		}
	}
}
