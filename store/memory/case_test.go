package memory_test

import (
	"testing"

	"sluice/store/memory"
	"sluice/store/storetest"
)

func TestCases(t *testing.T) {
	storetest.RunCases(t, func(*testing.T) storetest.CaseStore { return memory.New() })
}
