package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"

	"sluice"
)

// PutTenant adds or replaces a tenant.
func (s *Store) PutTenant(ctx context.Context, t *sluice.Tenant) error {
	domains, err := json.Marshal(escapeAll(t.Domains))
	if err != nil {
		return s.explain(err)
	}
	return s.mutate(ctx, true, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT OR REPLACE INTO tenant (id, name, domains) VALUES (?, ?, ?)`, t.ID, t.Name, string(domains))
		return err
	})
}

// Tenant returns one tenant.
func (s *Store) Tenant(ctx context.Context, id string) (*sluice.Tenant, error) {
	list, err := s.tenants(ctx, `WHERE id = ?`, id)
	if err == nil && len(list) == 0 {
		err = sluice.ErrNotFound
	}
	if err != nil {
		return nil, s.explain(err)
	}
	return list[0], nil
}

// ListTenants returns all tenants by id.
func (s *Store) ListTenants(ctx context.Context) ([]*sluice.Tenant, error) {
	list, err := s.tenants(ctx, ``)
	return list, s.explain(err)
}

func (s *Store) tenants(ctx context.Context, where string, args ...any) ([]*sluice.Tenant, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT id, name, domains FROM tenant `+where+` ORDER BY id`, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []*sluice.Tenant
	for rows.Next() {
		t := new(sluice.Tenant)
		var domains string
		if err := rows.Scan(&t.ID, &t.Name, &domains); err != nil {
			return nil, err
		}
		var escaped []string
		if err := json.Unmarshal([]byte(domains), &escaped); err != nil {
			return nil, err
		}
		t.Domains = unescapeAll(escaped)
		out = append(out, t)
	}
	return out, rows.Err()
}

// PutAccount adds or replaces a console account.
func (s *Store) PutAccount(ctx context.Context, a *sluice.Account) error {
	return s.mutate(ctx, true, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT OR REPLACE INTO account (name, password, created) VALUES (?, ?, ?)`, a.Name, a.Password, nanos(a.Created))
		return err
	})
}

// Account returns one account.
func (s *Store) Account(ctx context.Context, name string) (*sluice.Account, error) {
	a := &sluice.Account{}
	var at int64
	err := s.read.QueryRowContext(ctx, `SELECT name, password, created FROM account WHERE name = ?`, name).Scan(&a.Name, &a.Password, &at)
	if err != nil {
		return nil, s.explain(err)
	}
	a.Created = moment(at)
	return a, nil
}

// CountAccounts says how many accounts there are.
func (s *Store) CountAccounts(ctx context.Context) (int, error) {
	var n int
	err := s.read.QueryRowContext(ctx, `SELECT count(*) FROM account`).Scan(&n)
	return n, s.explain(err)
}
