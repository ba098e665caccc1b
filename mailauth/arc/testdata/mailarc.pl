# Asks Mail::DKIM what it hashes of ARC: reads names of message files, one a line,
# and prints for each message signature and seal
#   file TAB b= without white space TAB header digest TAB body digest (both hex)
# Keys are not asked for.
use strict;
use warnings;
use Mail::DKIM::ARC::Verifier;
use Mail::DKIM::DNS;

my $file;
my $key = 'v=DKIM1; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB';

package FakeRecord { sub type { 'TXT' } sub char_str_list { $key } sub txtdata { $key } }

{
	no warnings 'redefine';
	*Mail::DKIM::DNS::query = sub { ( bless {}, 'FakeRecord' ) };
	*Mail::DKIM::Signature::check_expiration = sub { 1 };
	require Mail::DKIM::Algorithm::rsa_sha256;
	*Mail::DKIM::Algorithm::rsa_sha256::verify = sub {
		my $self = shift;
		my $b    = $self->signature->data;
		$b =~ s/\s+//g;
		printf "%s\t%s\t%s\t%s\n", $file, $b, unpack( 'H*', $self->{header_digest}->digest ),
			unpack( 'H*', $self->{body_hash} // '' );
		return 1;
	};
}

while ( my $name = <STDIN> ) {
	chomp $name;
	$file = $name;
	open my $in, '<:raw', $name or die "$name: $!";
	my $d = Mail::DKIM::ARC::Verifier->new();
	while (<$in>) {
		s/\r?\n$/\r\n/;
		$d->PRINT($_);
	}
	eval { $d->CLOSE; 1 } or print STDERR "$name: $@";
}
