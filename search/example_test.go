package search_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ankisyncd/ankisyncd/search"
)

func Example() {
	node, err := search.Parse(`deck:French (tag:verb or "a dog") -is:suspended`)
	if err != nil {
		fmt.Println(err)
		return
	}
	st, err := search.Compile(context.Background(), node, someCatalog(), search.Options{
		Items: search.Cards,
		Order: search.ByColumn{Column: search.ColDue},
		Now:   time.Now(), Today: 300, NextDayAt: time.Now().Add(time.Hour).Unix(), LearnAhead: 1200,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = st // rows, err := db.QueryContext(ctx, st.SQL, st.Args...)
	fmt.Println(node)

	_, err = search.Parse(`dog prop:ivl>many`)
	var pe *search.ParseError
	if errors.As(err, &pe) {
		fmt.Println(pe.Offset, pe.Reason)
	}
	// Output:
	// deck:French (tag:verb or "a dog") -is:suspended
	// 13 prop:ivl wants a whole number from 0 on, not "many"
}
