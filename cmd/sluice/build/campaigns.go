package build

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"sluice"
	checkcampaign "sluice/check/campaign"
	"sluice/config"
	"sluice/explain/ref"
	"sluice/internal/durable"
	"sluice/learn/campaign"
	"sluice/learn/copycat"
	"sluice/learn/reputation"
)

// CampaignKey reads the key of the campaign memory's hashes, and makes one where there
// is none yet.
func CampaignKey(data string) (uint64, error) {
	keys, err := ref.LoadOrCreateKeys(filepath.Join(data, "campaign.keys"), rand.Reader)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(keys[0]), nil
}

// CampaignMemory makes an empty memory of the size that the settings ask for; nil where
// they ask for none.
func CampaignMemory(cfg *config.Config, key uint64) *campaign.Memory {
	if cfg.Campaign.Off {
		return nil
	}
	return campaign.New(campaign.Config{Key: key, Fingerprints: cfg.Campaign.Fingerprints, Networks: cfg.Campaign.OutbreakNetworks})
}

func campaignFile(cfg *config.Config) string { return filepath.Join(cfg.Data, "campaigns") }

// campaigns loads what was remembered of campaigns. A file that can't be read is set
// aside for the admin, and the memory starts empty; fresh says that it did.
func campaigns(cfg *config.Config, now time.Time, log *slog.Logger) (m *campaign.Memory, fresh bool) {
	key, err := CampaignKey(cfg.Data)
	if err != nil {
		log.Error("campaigns: nothing is remembered of them", "error", err)
		return nil, false
	}
	if m = CampaignMemory(cfg, key); m == nil {
		return nil, false
	}
	if _, err := os.Stat(campaignFile(cfg)); errors.Is(err, fs.ErrNotExist) {
		return m, true
	}
	if err := m.Load(durable.OS{}, campaignFile(cfg), now); err != nil {
		err = errors.Join(err, os.Rename(campaignFile(cfg), campaignFile(cfg)+".unread"))
		log.Error("campaigns: what was remembered can't be read; the file is kept as campaigns.unread", "error", err)
		return m, true
	}
	return m, false
}

func copycatFile(cfg *config.Config) string { return filepath.Join(cfg.Data, "copycats") }

// copycats loads what copies of campaigns are held against; nil where no campaigns are
// remembered.
func copycats(cfg *config.Config, mem *campaign.Memory, related func(owner, domain string) bool, log *slog.Logger) *copycat.Memory {
	if mem == nil {
		return nil
	}
	m := copycat.New(copycat.Config{Prints: mem, Related: related})
	if err := m.Load(durable.OS{}, copycatFile(cfg)); err != nil {
		err = errors.Join(err, os.Rename(copycatFile(cfg), copycatFile(cfg)+".unread"))
		log.Error("copies of campaigns: what was remembered can't be read; the file is kept as copycats.unread", "error", err)
	}
	return m
}

// saveCampaigns writes the whole memory, tens of megabytes.
func (m *Memory) saveCampaigns(ctx context.Context, cfg *config.Config) {
	if m.Campaigns.Memory == nil {
		return
	}
	save := func() error { return m.Campaigns.Memory.Save(ctx, durable.OS{}, campaignFile(cfg)) }
	err := m.Around(save)
	if m.Campaigns.Copycats != nil {
		err = errors.Join(err, m.Campaigns.Copycats.Save(ctx, durable.OS{}, copycatFile(cfg)))
	}
	if err != nil && ctx.Err() == nil {
		m.log.Error("campaigns: can't be saved; it is tried again", "error", fmt.Sprint(err))
	}
}

// campaignChecks is how the memory of campaigns knows domains and networks.
func campaignChecks(mem *campaign.Memory, rep *reputation.Table, port *Port) checkcampaign.Config {
	return checkcampaign.Config{
		Memory: mem,
		History: func(now time.Time, domain string) bool {
			s := rep.Score(now, reputation.DomainKey(domain))
			return s.Good >= 3 && s.Bad <= s.Good/10
		},
		Operator: func(c *sluice.Conn) uint32 {
			info, _ := port.Networks().Lookup(c.Client.Addr())
			return info.ASN
		},
	}
}
