package testkit

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// SaleFile writes the text of a sale file to a file that ends with the test, and returns its path.
func SaleFile(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sales.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// PricedSale returns a sale file with the open sale "race" of one SKU, "unit" for 1000, and more settings.
func PricedSale(stock int, more string) string {
	return fmt.Sprintf("sales: [{name: race, opens_at: 2020-01-01T00:00:00Z, closes_at: 2100-01-01T00:00:00Z, "+
		"accept: [v1, v2], %s, skus: [{name: unit, stock: %d, price: 1000}]}]", more, stock)
}
