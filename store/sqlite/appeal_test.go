package sqlite

import (
	"testing"

	"sluice/store/storetest"
)

func TestAppeals(t *testing.T) {
	storetest.RunAppeals(t, func(t *testing.T) storetest.AppealStore { return open(t, Config{}) })
}
