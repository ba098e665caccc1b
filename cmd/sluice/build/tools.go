package build

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	checkfiles "sluice/check/inspect"
	"sluice/config"
	"sluice/inspect/pool"
	"sluice/inspect/tools"
)

// ToolsConfig is what the settings ask for of yara and tesseract.
func ToolsConfig(cfg *config.Config, log *slog.Logger) tools.Config {
	t := cfg.Tools
	return tools.Config{Rules: t.YARARules, OCR: t.OCR, Languages: t.OCRLanguages, Processes: t.Processes, Queue: t.Queue, Time: t.Time.Duration,
		Memory: int64(t.Memory), Strict: cfg.Files.Strict, Log: log}
}

// newTools starts them; nil where nothing is asked for: then no process runs.
func newTools(cfg *config.Config, reg prometheus.Registerer, log *slog.Logger) (*tools.Tools, error) {
	if cfg.Files.Off || cfg.Tools.Off() {
		return nil, nil
	}
	c := ToolsConfig(cfg, log)
	if reg != nil {
		c.Metrics = pool.NewMetricsOf("tools", reg)
	}
	t, err := tools.New(context.Background(), c)
	if err != nil {
		return nil, fmt.Errorf("tools: %w", err)
	}
	return t, nil
}

// toolsFor is what the check of files is told of them.
func toolsFor(cfg *config.Config, t *tools.Tools) (c checkfiles.Tools) {
	if t == nil {
		return c
	}
	c = checkfiles.Tools{Inspector: t, Rules: t.YARA(), Bytes: int64(cfg.Tools.Bytes), Little: cfg.Tools.OCRText, Time: t.Time(), Defer: cfg.Tools.Unavailable == "defer"}
	if t.OCR() {
		c.Pictures = cfg.Tools.OCRPictures
	}
	return c
}
