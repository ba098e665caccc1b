package build

import (
	"fmt"

	"sluice"
	"sluice/config"
	"sluice/deliver/banner"
	"sluice/deliver/rewrite"
	"sluice/message"
)

// annotator makes what is written into delivered mail; nil where the settings want
// nothing written.
func annotator(cfg *config.Config) (func(*sluice.Conn, *sluice.Envelope, *message.Message, *sluice.Verdict) []rewrite.Change, error) {
	if !cfg.Banner.On {
		return nil, nil
	}
	key, err := siteKey(cfg.Data)
	if err != nil {
		return nil, fmt.Errorf("banner: %w", err)
	}
	w, err := banner.New(banner.Config{Key: subkey(key, "banner"), Language: cfg.Banner.Language})
	if err != nil {
		return nil, err
	}
	return func(conn *sluice.Conn, env *sluice.Envelope, m *message.Message, v *sluice.Verdict) []rewrite.Change {
		if conn.Auth != "" || env.Outbound {
			return w.Remove(m).Changes
		}
		items := banner.Choose(v, cfg.Banner.FirstContact)
		if len(items) == 0 && !banner.Present(m) { // a forged one goes
			return nil
		}
		return w.Add(m, items, "").Changes
	}, nil
}
