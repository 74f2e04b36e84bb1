package archive

// ReadTwice makes segments of any size count as too large to be read into
// memory.
func (o Options) ReadTwice() Options {
	o.wholeLimit = 1
	return o
}
