package sqlite

import (
	sqldriver "database/sql/driver"

	driver "modernc.org/sqlite"
)

// RegisterFunc adds an SQL function to every connection that is opened from
// now on, in the whole process. It must give the same result for the same
// arguments. Arguments and results are nil, int64, float64, string or []byte
// (and bool as a result); nArgs -1 takes any number of arguments.
//
// The arguments are lent: a function must not keep a string or a slice of them
// after it returns. RegisterFunc panics if the name is taken, so it belongs in
// an init.
func RegisterFunc(name string, nArgs int32, f func(args []sqldriver.Value) (any, error)) {
	driver.MustRegisterFunction(name, &driver.FunctionImpl{
		NArgs:         nArgs,
		Deterministic: true,
		VolatileArgs:  true,
		Scalar: func(_ *driver.FunctionContext, args []sqldriver.Value) (sqldriver.Value, error) {
			return f(args)
		},
	})
}
