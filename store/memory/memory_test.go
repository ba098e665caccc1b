package memory_test

import (
	"testing"

	"sluice"
	"sluice/store/memory"
	"sluice/store/storetest"
)

func TestConformance(t *testing.T) {
	storetest.Run(t, func(*testing.T) sluice.Store { return memory.New() })
}

func TestReports(t *testing.T) {
	storetest.RunReports(t, func(*testing.T) storetest.ReportStore { return memory.New() })
}

func TestReviews(t *testing.T) {
	storetest.RunReviews(t, func(*testing.T) storetest.ReviewStore { return memory.New() })
}
