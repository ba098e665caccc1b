# Signs or verifies messages with Mail::DKIM: a JSON list of requests on standard
# input, a list of answers on standard output. Octets travel as characters of
# Latin-1.
use strict;
use warnings;
use JSON::PP;
use Mail::DKIM::Verifier;
use Mail::DKIM::Signer;
use Mail::DKIM::PrivateKey;
use Mail::DKIM::DNS;

my $zone;

package Record { sub type { 'TXT' } sub char_str_list { ${ $_[0] } } sub txtdata { ${ $_[0] } } }

no warnings 'redefine';
*Mail::DKIM::DNS::query = sub { my $text = $zone->{ $_[0] } // return; ( bless \$text, 'Record' ) };

sub answer {
	my $req = shift;
	my $d;
	if ( $req->{do} eq 'verify' ) {
		$zone = $req->{zone};
		$d    = Mail::DKIM::Verifier->new();
	}
	else {
		( my $key = $req->{key} ) =~ s/-----[^-]*-----|\s//g;
		$d = Mail::DKIM::Signer->new(
			Algorithm => 'rsa-sha256',
			Method    => "$req->{form}/$req->{form}",
			Domain    => 'example.org',
			Selector  => $req->{selector},
			Key       => Mail::DKIM::PrivateKey->load( Data => $key ),
		);
	}
	utf8::downgrade( $req->{message} );
	$d->PRINT( $req->{message} );
	$d->CLOSE;
	return $req->{do} eq 'verify' ? $d->result_detail : $d->signature->as_string . "\r\n";
}

local $/;
print JSON::PP->new->utf8->encode( [ map { answer($_) } @{ JSON::PP->new->utf8->decode(<STDIN>) } ] );
