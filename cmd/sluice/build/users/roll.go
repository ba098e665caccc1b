package users

import (
	"sluice/config"
	"sluice/directory/ldap"
	"sluice/subscriber"
	"sluice/subscriber/roster"
	rosterhttp "sluice/subscriber/roster/http"
	rosterldap "sluice/subscriber/roster/ldap"
	rostersql "sluice/subscriber/roster/sql"
)

// roll is the directory of who our users are; nil where the settings name none.
func roll(s config.Subscribers) (subscriber.Directory, error) {
	var all roster.First
	if s.File != "" {
		f, err := roster.NewFile(s.File)
		if err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	far := func(d subscriber.Directory, err error) error {
		if err == nil {
			all = append(all, roster.NewCached(d, roster.CacheConfig{}))
		}
		return err
	}
	if s.SQL.URL != "" {
		if err := far(rostersql.New(rostersql.Config{URL: s.SQL.URL, PasswordFile: s.SQL.PasswordFile, Find: s.SQL.Find, Key: s.SQL.Key})); err != nil {
			return nil, err
		}
	}
	if l := s.LDAP; l.URL != "" {
		c := rosterldap.Config{Config: ldap.Config{URL: l.URL, BindDN: l.BindDN, PasswordFile: l.PasswordFile, Base: l.Base}, Filter: l.Filter, Attributes: l.Attributes}
		for _, k := range l.Contacts {
			c.Contacts = append(c.Contacts, rosterldap.Contact{Attribute: k.Attribute, Channel: k.Channel, Same: k.Same})
		}
		if err := far(rosterldap.New(c)); err != nil {
			return nil, err
		}
	}
	if s.HTTP.URL != "" {
		if err := far(rosterhttp.New(rosterhttp.Config{URL: s.HTTP.URL, TokenFile: s.HTTP.TokenFile})); err != nil {
			return nil, err
		}
	}
	if len(all) == 0 {
		return nil, nil
	}
	return all, nil
}
