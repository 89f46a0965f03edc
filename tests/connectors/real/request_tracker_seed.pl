# The queues, one for each role a desk can have, the field for our marker, our account and a colleague's, and the scrip that sends webhooks.
# Prints both tokens, ours first.
use strict; use warnings; use utf8;
use RT; RT::LoadConfig(); RT::Init();
my $system = RT->SystemUser;
sub done { my ($what, $id, $message) = @_; die "$what: $message\n" unless $id; return $id }

my @queues = map {
    my $queue = RT::Queue->new($system);
    done queue => $queue->Create(Name => $_, Lifecycle => 'desk');
    $queue;
} qw(Support Own Vendor);
my $field = RT::CustomField->new($system);
done field => $field->Create(
    Name => 'HubId', Type => 'FreeformSingle', LookupType => 'RT::Queue-RT::Ticket', MaxValues => 1);
done field_of_queue => $field->AddToObject($_) for @queues;

# What the description's `check` asks an administrator to give us, and no more.
my @ours = qw(SeeQueue ShowTicket ShowTicketComments CreateTicket ReplyToTicket CommentOnTicket
    ModifyTicket SeeCustomField ModifyCustomField SetInitialCustomField);
my @theirs = (@ours, qw(DeleteTicket OwnTicket TakeTicket Watch));
for my $who (['hub', @ours], ['petr', @theirs]) {
    my ($name, @rights) = @$who;
    my $user = RT::User->new($system);
    done user => $user->Create(
        Name => $name, EmailAddress => "$name\@desk.test", Privileged => 1, Password => "$name-password-1");
    for my $queue (@queues) {
        done $_ => $user->PrincipalObj->GrantRight(Right => $_, Object => $queue) for @rights;
    }
    done tokens => $user->PrincipalObj->GrantRight(Right => 'ManageAuthTokens', Object => RT->System);
    my $current = RT::CurrentUser->new; $current->Load($name);
    my ($id, $message, $token) = RT::AuthToken->new($current)->Create(Owner => $user->Id, Description => 'tests');
    done token => $id, $message;
    print "$token\n";
}

# As docs/howto/write-a-connector.md says: Request Tracker has no webhooks of its own.
my $code = <<'PERL';
use LWP::UserAgent; use JSON; use Digest::SHA;
my $body = JSON->new->utf8->canonical->encode({
    ticket => 0 + $self->TicketObj->Id, transaction => 0 + $self->TransactionObj->Id,
    type => $self->TransactionObj->Type });
LWP::UserAgent->new(timeout => 2)->post(RT->Config->Get('HubWebhook'),
    'Content-Type' => 'application/json', Content => $body,
    'X-Hub-Signature-256' => 'sha256=' . Digest::SHA::hmac_sha256_hex($body, 'rt-shared-secret'));
return 1;
PERL
my $scrip = RT::Scrip->new($system);
done scrip => $scrip->Create(
    Description => 'Tell the hub', Queue => 0, Stage => 'TransactionCreate', Template => 'Blank',
    ScripCondition => 'User Defined', CustomIsApplicableCode => 'return 1;',
    ScripAction => 'User Defined', CustomPrepareCode => 'return 1;', CustomCommitCode => $code);
