package memory_test

import (
	"testing"

	"sluice/store/memory"
	"sluice/store/storetest"
)

func TestAppeals(t *testing.T) {
	storetest.RunAppeals(t, func(*testing.T) storetest.AppealStore { return memory.New() })
}
