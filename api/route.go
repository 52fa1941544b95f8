package api

import (
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ankisyncd/ankisyncd/collection"
)

// route is what a path says: /collection/<user>/<op>, or
// /collection/<user>/<kind>/<id>[/<op>] (docs/compat.md §6.1).
type route struct {
	user string
	kind string // collection, note, model, deck, card or media
	id   string // of the object; as text, which is how it is echoed; a file's name
	op   string // "index" if the path names none
}

// parseURL takes the path of a request apart. In the name of a deck a "/" may be
// written %2F; anywhere else that is the same as a "/", as it was in the original.
func parseURL(u *url.URL) (route, error) {
	parts := strings.Split(strings.TrimPrefix(u.EscapedPath(), "/"), "/")
	for i, p := range parts {
		plain, err := url.PathUnescape(p)
		if err != nil || strings.Contains(plain, "/") && (i != 3 || parts[2] != "deck") {
			return parsePath(u.Path)
		}
		parts[i] = plain
	}
	return routeOf(parts)
}

// parsePath takes a path apart. Whether there is such an operation is for the
// table of operations to say.
func parsePath(path string) (route, error) {
	return routeOf(strings.Split(strings.TrimPrefix(path, "/"), "/"))
}

func routeOf(parts []string) (route, error) {
	if len(parts) < 2 || parts[0] != "collection" || parts[1] == "" {
		return route{}, errNotFound
	}
	rt := route{user: parts[1], kind: "collection", op: "index"}
	rest := parts[2:]
	if len(rest) > 1 && slices.Contains([]string{"note", "model", "deck", "card", "media"}, rest[0]) {
		rt.kind, rt.id = rest[0], rest[1]
		rest = rest[2:]
	}
	if len(rest) > 0 {
		rt.op = rest[0]
		rest = rest[1:]
	}
	if len(rest) > 0 || rt.op == "" || rt.kind != "collection" && rt.id == "" {
		return route{}, errNotFound
	}
	return rt, nil
}

// operation is one call. A void one had no answer in the original: its errors
// are logged, not told.
type operation struct {
	void bool
	run  func(context.Context, *call) (any, error)
}

// checkName refuses names that are no folder below the data root.
func (a *API) checkName(user string) error {
	if _, err := a.o.Collections.UserDir(user); err != nil {
		return badRequest("%q is not a valid collection", printable(user))
	}
	return nil
}

// letIn says that who is kept out is unknown. It comes first, whatever is asked for.
func (a *API) letIn(ctx context.Context, user string) error {
	if a.o.Users == nil {
		return nil
	}
	if out, err := a.o.Users.KeptOut(ctx, user); err != nil {
		return err
	} else if out {
		return errNotFound
	}
	return nil
}

// ensure sees to it that the user's collection is there. One that is not is made
// for those who have an account; the original made it for anybody.
func (a *API) ensure(ctx context.Context, user string) error {
	if err := a.letIn(ctx, user); err != nil {
		return err
	}
	m, err := a.o.Collections.Meta(ctx, user)
	if err != nil || m.Exists {
		return err
	}
	if a.o.Users == nil {
		return errNotFound
	}
	if ok, err := a.o.Users.HasUser(ctx, user); err != nil {
		return err
	} else if !ok {
		return errNotFound
	}
	return a.create(ctx, user)
}

// listCollections names the collections that exist, sorted.
func (a *API) listCollections(ctx context.Context) (any, error) {
	dir, err := a.o.Collections.UserDir("x")
	if err != nil {
		return nil, err
	}
	root := filepath.Dir(dir)
	entries, err := os.ReadDir(root)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	names := []string{}
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if _, err := a.o.Collections.UserDir(e.Name()); err != nil {
			continue
		}
		if fi, err := os.Stat(filepath.Join(root, e.Name(), collection.FileName)); err == nil && fi.Mode().IsRegular() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}
