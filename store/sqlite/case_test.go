package sqlite

import (
	"testing"

	"sluice/store/storetest"
)

func TestCases(t *testing.T) {
	storetest.RunCases(t, func(t *testing.T) storetest.CaseStore { return open(t, Config{}) })
}
