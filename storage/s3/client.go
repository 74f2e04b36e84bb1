package s3

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"

	"walarchive/storage"
	"walarchive/storage/remote"
)

// newClient reads the SDK's configuration and makes a client of it that tries
// once, says nothing and adds no checksums of its own accord.
func newClient(ctx context.Context, o Options) (*s3.Client, error) {
	transport, err := newTransport(o)
	if err != nil {
		return nil, err
	}
	cfg, err := config.LoadDefaultConfig(ctx,
		config.WithRegion(o.Region),
		config.WithSharedConfigProfile(o.Profile),
		config.WithHTTPClient(transport),
		config.WithRetryer(func() aws.Retryer { return aws.NopRetryer{} }),
		config.WithLogger(logging.Nop{}),
	)
	if err != nil {
		return nil, storage.Classify(fmt.Errorf("configuration of the AWS SDK: %w", err), storage.ErrInvalid,
			"look at the profile, at AWS_* in the environment, and at ~/.aws of the user that runs this")
	}
	cfg.Credentials = credentials{cfg.Credentials}
	client := s3.NewFromConfig(cfg, func(s *s3.Options) { setOptions(s, o, transport) })
	if client.Options().Region == "" {
		return nil, storage.Classify(errors.New("no region is set for S3"), storage.ErrInvalid,
			"set the region in the configuration, or AWS_REGION")
	}
	return client, nil
}

func setOptions(s *s3.Options, o Options, transport *awshttp.BuildableClient) {
	if o.Endpoint != "" {
		s.BaseEndpoint = &o.Endpoint
	}
	custom := s.BaseEndpoint != nil
	if custom && s.Region == "" {
		s.Region = "us-east-1"
	}
	s.UsePathStyle = o.PathStyle == "always" || o.PathStyle == "auto" && custom
	s.HTTPClient = newBounded(transport.GetTransport())
	s.Retryer = aws.NopRetryer{}
	s.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
	s.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
}

// newTransport is of the SDK's making: where AWS_CA_BUNDLE is set, it takes no
// other.
func newTransport(o Options) (*awshttp.BuildableClient, error) {
	roots, err := remote.Roots(o.CAFile)
	if err != nil {
		return nil, err
	}
	return awshttp.NewBuildableClient().
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = o.ConnectTimeout }).
		WithTransportOptions(func(t *http.Transport) { remote.Tune(t, roots, o.ConnectTimeout) }), nil
}

// bounded is a client whose answers cannot fill the memory: all but objects
// are documents that the SDK reads as a whole. It follows no redirect: the
// store's own name another region, which the operator should know, and all
// others are not the store's. After a failure it starts with new connections,
// since what broke one has often broken all that lie idle.
type bounded struct{ next *http.Client }

func newBounded(t http.RoundTripper) bounded {
	return bounded{&http.Client{Transport: t, CheckRedirect: remote.Stay}}
}

func (c bounded) Do(r *http.Request) (*http.Response, error) {
	answer, err := c.next.Do(r)
	if err != nil {
		c.next.CloseIdleConnections()
		return nil, err
	}
	object := r.Method == http.MethodGet && r.URL.Query().Get("list-type") == "" && answer.StatusCode < 300
	if !object {
		answer.Body = remote.Document(answer.Body)
	}
	return answer, nil
}

// credentials marks the errors of the SDK's chain, which would otherwise look
// like those of a request.
type credentials struct{ next aws.CredentialsProvider }

func (c credentials) Retrieve(ctx context.Context) (aws.Credentials, error) {
	got, err := c.next.Retrieve(ctx)
	if err != nil {
		return aws.Credentials{}, &remote.CredentialsError{Err: err}
	}
	return got, nil
}
