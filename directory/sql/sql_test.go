package sql

import (
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sluice"
	"sluice/directory"
	"sluice/directory/directorytest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// fill makes the table that the fixture wants.
func fill(t testing.TB, db *sql.DB) {
	t.Helper()
	statements := []string{`create table mailbox (address text primary key)`}
	for _, m := range append([]string{"@" + directorytest.CatchAll}, directorytest.Mailboxes...) {
		statements = append(statements, `insert into mailbox values ('`+strings.ReplaceAll(m, "'", "''")+`')`)
	}
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

func open(t testing.TB, cfg Config) *Source {
	t.Helper()
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func sqlite(t testing.TB) string {
	path := filepath.Join(t.TempDir(), "mail boxes?.db")
	db, err := sql.Open("sqlite", "file:"+strings.NewReplacer(" ", "%20", "?", "%3f").Replace(path))
	if err != nil {
		t.Fatal(err)
	}
	fill(t, db)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSQLite(t *testing.T) {
	for name, query := range map[string]string{
		"address": `select 1 from mailbox where address = $1`,
		"parts":   `select 1 from mailbox where address = $2 || '@' || $3 -- not $9`,
		"both":    `select address from mailbox where (address = $1 or address = $2) and '$7' <> $1;`,
	} {
		t.Run(name, func(t *testing.T) {
			directorytest.Run(t, func(t *testing.T) directorytest.Fixture {
				path := sqlite(t)
				s := open(t, Config{URL: "sqlite:" + path, Query: query})
				return directorytest.Fixture{Source: s, Lists: strings.Contains(query, "$1"),
					// Connections that are open live on with the file that is gone, as in life.
					Break: func() { move(t, path, path+".away"); s.db.SetMaxIdleConns(0); s.db.SetMaxIdleConns(4) },
					Mend:  func() { move(t, path+".away", path) }}
			})
		})
	}
}

func move(t testing.TB, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// A lookup never writes, whatever the query says.
func TestReadOnly(t *testing.T) {
	path := sqlite(t)
	s := open(t, Config{URL: "sqlite:" + path, Query: `delete from mailbox where address = $1 returning 1`})
	q := &directory.Query{Forms: []directory.Form{{Address: directorytest.Mailboxes[0], Local: "alice", Domain: directorytest.Domain}}}
	if l, err := s.Lookup(t.Context(), q); l.Presence != sluice.CantTell || err == nil {
		t.Errorf("deleting: %s, %v", l.Presence, err)
	}
	missing := filepath.Join(t.TempDir(), "none.db")
	s = open(t, Config{URL: "sqlite:" + missing, Query: `select 1 from mailbox where address = $1`})
	if l, err := s.Lookup(t.Context(), q); l.Presence != sluice.CantTell || err == nil {
		t.Errorf("missing: %s, %v", l.Presence, err)
	}
	if _, err := os.Stat(missing); err == nil {
		t.Error("a lookup made the database")
	}
}

func TestParameters(t *testing.T) {
	for _, c := range []struct {
		query, mark, want string
		use               []int
		bad               string
	}{
		{query: "select 1 where a=$1", mark: "$", want: "select 1 where a=$1", use: []int{0}},
		{query: "select 1 where l=$2 and d=$3", mark: "$", want: "select 1 where l=$1 and d=$2", use: []int{1, 2}},
		{query: "select 1 where d=$3 and l=$2 or d=$3", mark: "?", want: "select 1 where d=?1 and l=?2 or d=?1", use: []int{2, 1}},
		{query: `select '$1''$2', "$3" /* $3 */ where a=$1 -- $2`, mark: "$", want: `select '$1''$2', "$3" /* $3 */ where a=$1 -- $2`, use: []int{0}},
		{query: "select $1::text", mark: "$", want: "select $1::text", use: []int{0}},
		{query: "select 1", mark: "$", bad: "it says the same of all"},
		{query: "select 1 where d=$3", mark: "$", bad: "it says the same of all"},
		{query: "select $4", mark: "$", bad: "$4: there are $1"},
		{query: "select $12", mark: "$", bad: "$12: there are $1"},
		{query: "select 1 where a=?", mark: "?", bad: "without a name"},
		{query: "select $1; drop table x", mark: "$", bad: "more than one statement"},
		{query: "select '" + strings.Repeat("x", maxQuery), mark: "$", bad: "over 16384 octets"},
	} {
		got, use, err := parameters(c.query, c.mark)
		switch {
		case c.bad != "":
			if err == nil || !strings.Contains(err.Error(), c.bad) {
				t.Errorf("%.40s: %v; want %s", c.query, err, c.bad)
			}
		case err != nil || got != c.want || !slices.Equal(use, c.use):
			t.Errorf("%s: %s, %v, %v", c.query, got, use, err)
		}
	}
}

func TestNew(t *testing.T) {
	const query = "select 1 where $1 = ''"
	for want, c := range map[string]Config{
		"want sqlite:PATH":     {URL: "mysql://x", Query: query},
		"no path given":        {URL: "sqlite:", Query: query},
		"the same of all":      {URL: "sqlite:x"},
		"no such file":         {URL: "postgres://u@127.0.0.1/d", Query: query, PasswordFile: filepath.Join(t.TempDir(), "none")},
		"cannot parse":         {URL: "postgres://u:" + directorytest.Password + "@127.0.0.1:x/d", Query: query},
		"more than one statem": {URL: "sqlite:x", Query: query + "; select 2"},
	} {
		_, err := New(c)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), directorytest.Password) {
			t.Errorf("%v; want %s", err, want)
		}
	}
}

// server is a PostgreSQL of our own on loopback.
type server struct {
	bin, data string
	port      int
	attr      *syscall.SysProcAttr
	cmd       *exec.Cmd
}

func newServer(t *testing.T) *server {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		t.Skip("needs PostgreSQL (Debian package postgresql): run scripts/install-test-deps")
	}
	s := &server{bin: filepath.Dir(found[len(found)-1]), port: directorytest.FreePort(t)}
	s.data, s.attr = directorytest.Ordinary(t, "postgres")
	pw := filepath.Join(s.data, "pw")
	if err := os.WriteFile(pw, []byte(directorytest.Password+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := s.command("initdb", "-D", filepath.Join(s.data, "db"), "-U", "sluice", "--pwfile", pw,
		"-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "--no-sync").CombinedOutput()
	if err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	s.start(t)
	t.Cleanup(s.stop)
	return s
}

func (s *server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.Dir, cmd.SysProcAttr = s.data, s.attr
	cmd.Env = append(os.Environ(), "HOME="+s.data, "LC_ALL=C")
	return cmd
}

func (s *server) start(t testing.TB) {
	t.Helper()
	log, err := os.Create(filepath.Join(s.data, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	s.cmd = s.command("postgres", "-D", filepath.Join(s.data, "db"), "-h", "127.0.0.1", "-p", strconv.Itoa(s.port),
		"-k", s.data, "-c", "fsync=off", "-c", "shared_buffers=16MB", "-c", "max_connections=20")
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("pgx", s.url(":"+directorytest.Password))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if err = db.Ping(); err == nil {
			return
		}
		if time.Now().After(end) {
			b, _ := os.ReadFile(log.Name())
			t.Fatalf("PostgreSQL doesn't start: %v\n%s", err, b)
		}
	}
}

func (s *server) url(password string) string {
	return fmt.Sprintf("postgres://sluice%s@127.0.0.1:%d/postgres?sslmode=disable", password, s.port)
}

// stop is the fast shutdown: connections are cut.
func (s *server) stop() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Signal(syscall.SIGINT)
	_ = s.cmd.Wait()
	s.cmd = nil
}

func TestPostgres(t *testing.T) {
	srv := newServer(t)
	db, err := sql.Open("pgx", srv.url(":"+directorytest.Password))
	if err != nil {
		t.Fatal(err)
	}
	fill(t, db)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte(directorytest.Password+"\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, query := range map[string]string{
		"address": `select 1 from mailbox where address = $1`,
		"parts":   `select 1 from mailbox where address = $2::text || '@' || $3::text`,
	} {
		t.Run(name, func(t *testing.T) {
			directorytest.Run(t, func(t *testing.T) directorytest.Fixture {
				s := open(t, Config{URL: srv.url(""), PasswordFile: password, Query: query})
				return directorytest.Fixture{Source: s, Lists: name == "address", Break: srv.stop, Mend: func() { srv.start(t) }}
			})
		})
	}
	t.Run("wrong password", func(t *testing.T) {
		wrong := filepath.Join(t.TempDir(), "password")
		if err := os.WriteFile(wrong, []byte("other"), 0o600); err != nil {
			t.Fatal(err)
		}
		s := open(t, Config{URL: srv.url(""), PasswordFile: wrong, Query: `select 1 where $1 = ''`})
		d := directorytest.Directory(t, s)
		if l, err := d.Lookup(t.Context(), directorytest.Mailboxes[0]); l.Presence != sluice.CantTell || err == nil {
			t.Errorf("%s, %v", l.Presence, err)
		}
	})
	t.Run("slow", func(t *testing.T) {
		s := open(t, Config{URL: srv.url(""), PasswordFile: password, Query: `select 1 from pg_sleep(20) where $1 <> ''`})
		d, err := directory.New(directory.Config{Domains: map[string]directory.Domain{
			directorytest.Domain: {Sources: []directory.Use{{Source: s, Timeout: 100 * time.Millisecond}}}}})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		began := time.Now()
		if l, err := d.Lookup(t.Context(), directorytest.Mailboxes[0]); l.Presence != sluice.CantTell || err == nil {
			t.Errorf("%s, %v", l.Presence, err)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("took %v", took)
		}
	})
}
