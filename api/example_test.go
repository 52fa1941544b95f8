package api_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/ankisyncd/ankisyncd/api"
	"github.com/ankisyncd/ankisyncd/collection"
)

// everybody lets a collection be made for any name.
type everybody struct{}

func (everybody) HasUser(context.Context, string) (bool, error) { return true, nil }
func (everybody) KeptOut(context.Context, string) (bool, error) { return false, nil }

// The API is mounted on a mux beside other handlers.
func ExampleNew() {
	root, err := os.MkdirTemp("", "collections-*")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(root) }()
	store := collection.New(root, collection.Options{})
	defer func() { _ = store.Close() }()

	mux := http.NewServeMux()
	mux.Handle("/anki/", http.StripPrefix("/anki", api.New(api.Options{Collections: store, Users: everybody{}})))
	server := httptest.NewServer(mux)
	defer server.Close()

	for _, call := range [][2]string{
		{"add_note", `{"model": "Basic", "fields": {"Front": "eins", "Back": "one"}, "tags": "German"}`},
		{"list_tags", `{}`},
		{"reset_scheduler", `{}`},
	} {
		res, err := http.Post(server.URL+"/anki/collection/alice/"+call[0], "application/json", strings.NewReader(call[1]))
		if err != nil {
			fmt.Println(err)
			return
		}
		answer, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		fmt.Println(call[0], res.StatusCode, string(answer), err)
	}
	// Output:
	// add_note 200  <nil>
	// list_tags 200 ["German"] <nil>
	// reset_scheduler 200 {"learning_cards":0,"new_cards":1,"review_cards":0} <nil>
}
