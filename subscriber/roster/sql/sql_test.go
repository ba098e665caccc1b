package sql_test

import (
	"database/sql"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"sluice/subscriber"
	roster "sluice/subscriber/roster/sql"
)

func database(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "customers.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`CREATE TABLE customer (account TEXT, line TEXT, class TEXT, contacts TEXT);
		INSERT INTO customer VALUES ('bob', '192.0.2.7', 'business', '[{"channel":"sms","address":"+49"}]'), ('eve', '', NULL, NULL), ('odd', '', 'x', ''), ('broken', '', '', '[')`); err != nil {
		t.Fatal(err)
	}
	return "sqlite:" + path
}

func TestFind(t *testing.T) {
	s, err := roster.New(roster.Config{URL: database(t), Find: "SELECT account, class, contacts FROM customer WHERE account = $1 OR $1 = '' AND line = $3",
		Key: "SELECT account, class, contacts FROM customer WHERE 'account:' || account = $1"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	line := netip.MustParseAddr("::ffff:192.0.2.7")
	for _, c := range []struct {
		t     subscriber.Trace
		key   string
		fails bool
	}{
		{subscriber.Trace{Account: "bob"}, "account:bob", false},
		{subscriber.Trace{Client: line}, "account:bob", false},
		{subscriber.Trace{Account: "eve", Client: line}, "account:eve", false},
		{subscriber.Trace{Account: "nobody"}, "", false},
		{subscriber.Trace{Account: "x' OR '1'='1"}, "", false},
		{subscriber.Trace{Account: "bob\x00"}, "", false},
		{subscriber.Trace{Account: "odd"}, "", true},
		{subscriber.Trace{Account: "broken"}, "", true},
	} {
		got, ok, err := s.Find(t.Context(), c.t)
		if ok != (c.key != "") || (err != nil) != c.fails || ok && got.Key != c.key {
			t.Errorf("%+v: %+v, %v, %v", c.t, got, ok, err)
		}
	}
	if got, ok, err := s.Subject(t.Context(), "account:bob"); !ok || err != nil || !got.Second() || got.Class != subscriber.Business {
		t.Errorf("%+v, %v, %v", got, ok, err)
	}
}

func TestConfig(t *testing.T) {
	url := database(t)
	good := "SELECT account FROM customer WHERE account = $1"
	for _, c := range []struct{ find, key, want string }{
		{"SELECT account FROM customer", good, "no parameter"},
		{good, "SELECT 1 WHERE $2 = ''", "$1: the key"},
		{"SELECT $5", good, "$4: the time"},
		{"SELECT ?", good, "$1 for the account"},
		{good + "; DELETE FROM customer", good, "more than one statement"},
	} {
		if _, err := roster.New(roster.Config{URL: url, Find: c.find, Key: c.key}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q, %q: %v, want %q", c.find, c.key, err, c.want)
		}
	}
	s, err := roster.New(roster.Config{URL: url, Find: "SELECT account, line AS phone FROM customer WHERE account = $1", Key: good})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, _, err := s.Find(t.Context(), subscriber.Trace{Account: "bob"}); err == nil || !strings.Contains(err.Error(), `"phone"`) {
		t.Errorf("a column that no entry has: %v", err)
	}
}
