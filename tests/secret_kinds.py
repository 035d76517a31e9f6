"""Made-up secrets of many kinds, in the ways that people write and hide them.

Formats are those of the vendors' public documentation. Values are drawn at import from a fixed seed, so that this
file holds none. `HELD_OUT` is the third of the kinds that no rule was looked at against: it shows how the rules
do on what they have not seen.
"""

import base64
import json
import random
import re
import string
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

ALPHABETS = {
    "A": string.ascii_letters + string.digits,
    "a": string.ascii_letters,
    "L": string.ascii_lowercase + string.digits,
    "U": string.ascii_uppercase + string.digits,
    "h": string.hexdigits[:16],
    "H": "0123456789ABCDEF",
    "b": string.ascii_letters + string.digits + "+/",
    "u": string.ascii_letters + string.digits + "-_",
    "d": string.digits,
    "s": string.ascii_uppercase + "234567",
    "t": string.ascii_lowercase + "234567",
    "k": "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz",
    "c": "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L",
}
WORDS = ("otter", "velvet", "Marble", "thunder", "Copper", "lantern", "Quartz", "meadow", "falcon", "Winter", "harbor")

# How a value stands in a file: {k} is its name, {v} the value.
WRITTEN = {
    "prose": "When it did not work I ran it with {v} and it did.",
    "python": '{k} = "{v}"\n',
    "item": "settings['{k}'] = '{v}'\n",
    "argument": 'client = Client(host, {k}="{v}", retries=3)\n',
    "json": '{{"name": "prod", "{k}": "{v}", "port": 5432}}\n',
    "yaml": "service:\n  name: shop\n  {k}: {v}\n",
    "env": "DEBUG=0\n{k}={v}\nPORT=80\n",
    "ini": "[main]\nhost = db1\n{k} = {v}\n",
    "shell": 'export {k}="{v}"\n./run.sh\n',
    "js": "const {k} = '{v}';\n",
    "header": "curl -H '{k}: {v}' https://api.acme-corp.io/v1/items\n",
    "xml": "<config><{k}>{v}</{k}></config>\n",
    "attribute": '<add key="{k}" value="{v}" />\n',
    "docker": "FROM python:3.12\nENV {k} {v}\n",
    "define": "define('{k}', '{v}');\n",
    "option": "deploy --{k} {v} --verbose\n",
    "comment": "def connect():\n    # {k}: {v}\n    return open_socket()\n",
    "bare": "{v}\n",
    "literal": 'def value():\n    return "{v}"\n',
}

# name | how it is written | its name there | the value: {A20} is 20 characters of ALPHABETS["A"], {guid} a UUID,
# {pw} a password that a person thought of, {crc} what GitHub documents, {pem KIND} a key block.
_TABLE = r"""
openai legacy | python | client | sk-{A20}T3BlbkFJ{A20}
openai project | env | OPENAI_API_KEY | sk-proj-{u74}T3BlbkFJ{u74}
openai service account | prose | | sk-svcacct-{u58}T3BlbkFJ{u58}
anthropic | prose | | sk-ant-api03-{u93}AA
anthropic admin | json | value | sk-ant-admin01-{u93}AA
github classic | prose | | ghp_{crc}
github oauth | yaml | value | gho_{crc}
github user | python | value | ghu_{crc}
github app | literal | | ghs_{crc}
github refresh | prose | | ghr_{crc}
github fine-grained | shell | GH | github_pat_{A22}_{A59}
gitlab personal | prose | | glpat-{u20}
gitlab deploy | yaml | value | gldt-{u20}
gitlab runner | env | RUNNER | glrt-{u20}
gitlab runner registration | prose | | GR1348941{u20}
gitlab trigger | python | value | glptt-{h40}
gitlab feed | prose | | glft-{u20}
aws key id | python | client | AKIA{s16}
aws temporary id | json | id | ASIA{s16}
aws secret | ini | aws_secret_access_key | {b40}
aws session | env | AWS_SESSION_TOKEN | IQoJb3JpZ2luX2Vj{b300}
aws bedrock | prose | | ABSK{b132}
google api | js | value | AIza{u35}
google oauth secret | json | client_secret | GOCSPX-{u28}
google access | header | Authorization | Bearer ya29.{u100}
google refresh | json | refresh_token | 1//0{u60}
firebase messaging | python | server | AAAA{u7}:APA91b{u134}
slack bot | prose | | xoxb-{d12}-{d13}-{A24}
slack user | python | value | xoxp-{d12}-{d12}-{d13}-{h32}
slack app | literal | | xapp-1-A0{U9}-{d13}-{h64}
slack configuration | prose | | xoxe.xoxp-1-{A163}
slack webhook | python | url | https://hooks.slack.com/services/T0{U9}/B0{U9}/{A24}
discord bot | python | bot | M{A23}.{u6}.{u38}
discord webhook | yaml | url | https://discord.com/api/webhooks/{d18}/{u68}
telegram bot | python | bot | {d10}:AA{u33}
teams webhook | literal | | https://acme.webhook.office.com/webhookb2/{guid}@{guid}/IncomingWebhook/{h32}/{guid}
google chat webhook | literal | | https://chat.googleapis.com/v1/spaces/AAAA{u7}/messages?key=AIza{u35}&token={u43}
stripe live | prose | | sk_live_{A24}
stripe long | python | value | sk_live_51{A97}
stripe restricted | env | PAYMENT | rk_live_{A24}
stripe test | python | value | sk_test_{A24}
stripe webhook | literal | | whsec_{A32}
square access | prose | | EAAA{u60}
square secret | python | value | sq0csp-{u43}
square old | prose | | sq0atp-{u22}
paypal braintree | literal | | access_token$production${L16}${h32}
paypal client | env | PAYPAL_CLIENT_SECRET | E{u79}
shopify access | prose | | shpat_{h32}
shopify secret | python | value | shpss_{h32}
shopify custom | prose | | shpca_{h32}
twilio key | python | sid | SK{h32}
twilio auth | env | TWILIO_AUTH_TOKEN | {h32}
sendgrid | prose | | SG.{u22}.{u43}
mailgun | python | mail | key-{h32}
mailchimp | python | mail | {h32}-us12
postmark | header | X-Postmark-Server-Token | {guid}
brevo | prose | | xkeysib-{h64}-{A16}
resend | literal | | re_{A8}_{A24}
npm | prose | | npm_{A36}
npmrc | //registry.npmjs.org/:_authToken={v} | _authToken | {guid}
pypi | ini | value | pypi-AgEIcHlwaS5vcmc{u150}
rubygems | yaml | value | rubygems_{h48}
crates | prose | | cio{A32}
nuget | literal | | oy2{t43}
docker hub | prose | | dckr_pat_{u27}
hugging face | python | value | hf_{a34}
hugging face organisation | prose | | api_org_{a34}
replicate | env | R8 | r8_{A37}
groq | prose | | gsk_{A52}
xai | python | value | xai-{A80}
perplexity | prose | | pplx-{A48}
cohere | env | COHERE_API_KEY | {A40}
mistral | env | MISTRAL_API_KEY | {A32}
deepseek | python | client | sk-{h32}
together | argument | api_key | {h64}
fireworks | python | value | fw_{A24}
openrouter | prose | | sk-or-v1-{h64}
langsmith | env | LANGSMITH | lsv2_pt_{h32}_{h10}
pinecone | prose | | pcsk_{A6}_{A64}
wandb | env | WANDB_API_KEY | {h40}
digitalocean | prose | | dop_v1_{h64}
digitalocean oauth | python | value | doo_v1_{h64}
heroku | env | HEROKU_API_KEY | {guid}
heroku new | prose | | HRKU-{u60}
linode | yaml | linode_token | {h64}
vultr | argument | api_key | {U36}
cloudflare global | header | X-Auth-Key | {h37}
cloudflare token | env | CLOUDFLARE_API_TOKEN | {u40}
cloudflare origin | prose | | v1.0-{h24}-{h146}
fastly | header | Fastly-Key | {u32}
netlify | prose | | nfp_{A40}
vercel | env | VERCEL_TOKEN | {A24}
render | prose | | rnd_{A32}
fly | literal | | FlyV1 fm2_{b200}
supabase | prose | | sbp_{h40}
planetscale | python | value | pscale_tkn_{u43}
planetscale password | prose | | pscale_pw_{u43}
datadog | env | DD_API_KEY | {h32}
datadog application | yaml | app_key | {h40}
new relic | prose | | NRAK-{U27}
grafana service | prose | | glsa_{A32}_{h8}
grafana cloud | literal | | glc_{b100}
sentry user | prose | | sntryu_{h64}
dynatrace | prose | | dt0c01.{s24}.{s64}
splunk | header | Authorization | Splunk {guid}
pagerduty | header | Authorization | Token token=u+{A18}
opsgenie | header | Authorization | GenieKey {guid}
rollbar | json | access_token | {h32}
segment | js | writeKey | {A32}
algolia | js | adminApiKey | {h32}
elastic | header | Authorization | ApiKey {b60}==
vault service | prose | | hvs.{u90}
vault old | shell | VAULT_TOKEN | s.{A24}
terraform cloud | ini | token | {A14}.atlasv1.{u67}
consul | header | X-Consul-Token | {guid}
atlassian | prose | | ATATT3xFfGF0{u170}={H8}
bitbucket app | python | value | ATBB{A32}
linear | prose | | lin_api_{A40}
notion | prose | | ntn_{d11}{A35}
notion old | python | value | secret_{A43}
asana | literal | | 1/{d16}:{h32}
airtable | prose | | pat{A14}.{h64}
figma | prose | | figd_{u40}
dropbox | literal | | sl.{u135}
contentful | prose | | CFPAT-{u43}
postman | prose | | PMAK-{h24}-{h34}
circleci | prose | | CCIPAT_{A22}_{h40}
buildkite | python | value | bkua_{h40}
sonarqube | prose | | squ_{h40}
snyk | env | SNYK_TOKEN | {guid}
okta | header | Authorization | SSWS 00{u40}
auth0 | json | client_secret | {u64}
facebook access | python | value | EAA{A180}
facebook app | yaml | app_secret | {h32}
twitter bearer | python | bearer | AAAAAAAAAAAAAAAAAAAAA{A30}%3D{A50}
linkedin | ini | client_secret | {A16}
tailscale | prose | | tskey-auth-{A12}CNTRL-{A32}
ngrok | yaml | authtoken | 2{A26}_{A21}
doppler | prose | | dp.pt.{A43}
pulumi | env | PULUMI | pul-{h40}
databricks | prose | | dapi{h32}
confluent | ini | sasl.password | {b64}
azure storage | literal | | DefaultEndpointsProtocol=https;AccountName=shop;AccountKey={b86}==
azure service bus | literal | | Endpoint=sb://shop.servicebus.windows.net/;SharedAccessKeyName=Root;SharedAccessKey={b43}=
azure devops | env | AZURE_DEVOPS_EXT_PAT | {t52}
azure client | yaml | client_secret | {A3}8Q~{u34}
azure sas | literal | | https://shop.blob.core.windows.net/b/f.csv?sv=2022-11-02&sp=r&sig={b43}%3D
azure cosmos | ini | connection | AccountEndpoint=https://shop.documents.azure.com:443/;AccountKey={b86}==;
alibaba | python | ak | LTAI{A20}
tencent | prose | | AKID{A32}
yandex | literal | | AQVN{u35}
ibm cloud | env | IBMCLOUD_API_KEY | {u44}
flutterwave | prose | | FLWSECK-{h32}-X
razorpay | json | key_secret | {A24}
binance | python | api_secret | {A64}
etherscan | env | ETHERSCAN_API_KEY | {U34}
ethereum | python | private_key | 0x{h64}
bitcoin | prose | | L{k51}
artifactory | prose | | AKCp{A69}
easypost | python | value | EZAK{A54}
shippo | prose | | shippo_live_{h40}
duffel | prose | | duffel_live_{u43}
typeform | prose | | tfp_{u44}
hubspot | python | value | pat-na1-{guid}
launchdarkly | python | value | sdk-{guid}
mapbox | literal | | sk.eyJ{u60}.{u22}
age | prose | | AGE-SECRET-KEY-1{c58}
rsa key | bare | | {pem RSA PRIVATE KEY}
ec key | bare | | {pem EC PRIVATE KEY}
dsa key | bare | | {pem DSA PRIVATE KEY}
openssh key | bare | | {pem OPENSSH PRIVATE KEY}
pkcs8 key | bare | | {pem PRIVATE KEY}
encrypted key | bare | | {pem ENCRYPTED PRIVATE KEY}
pgp key | bare | | {pem PGP PRIVATE KEY BLOCK}
ssh2 key | bare | | ---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\n{b64}\n---- END SSH2 ENCRYPTED PRIVATE KEY ----
putty key | bare | | PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nPrivate-Lines: 1\n{b44}\nPrivate-MAC: {h64}
wireguard | ini | PrivateKey | {b43}=
jwk | literal | | {{'kty': 'EC', 'crv': 'P-256', 'd': '{u43}', 'x': '{u43}'}}
xml rsa key | bare | | <RSAKeyValue><Modulus>{b171}=</Modulus><Exponent>AQAB</Exponent><D>{b171}=</D></RSAKeyValue>
postgres url | python | url | postgresql://shop:{pw}@db.acme-corp.io:5432/shop
sqlalchemy url | env | DATABASE_URL | postgresql+psycopg2://app:{pw}@10.1.2.3/app
mysql url | prose | | mysql://root:{pw}@10.0.0.5/shop
mongodb srv | js | url | mongodb+srv://app:{pw}@cluster0.ab1cd.mongodb.net/test
redis url | env | CACHE | redis://:{pw}@cache.acme-corp.io:6379/0
amqp url | yaml | broker | amqp://worker:{pw}@mq.acme-corp.io:5672/jobs
smtp url | prose | | smtps://mailer:{pw}@smtp.acme-corp.io:465
ftp url | prose | | ftp://upload:{pw}@files.acme-corp.io/in
basic-auth url | shell | URL | https://deploy:{pw}@ci.acme-corp.io/job
git token url | prose | | https://oauth2:{u20}@git.acme-corp.io/team/repo.git
ado.net | literal | | Server=tcp:db.acme-corp.io,1433;Database=shop;User Id=sa;Password={pw};Encrypt=True;
odbc | literal | | Driver={{ODBC Driver 18}};Server=db1;UID=sa;PWD={pw}
jdbc | ini | jdbc.url | jdbc:mysql://db1:3306/shop?user=app&password={pw}
libpq | python | dsn | host=db1 port=5432 dbname=shop user=app password={pw}
jwt hs256 | header | Authorization | Bearer {jwt}
jwt rs256 | prose | | {jwt}{u299}
jwe | literal | | eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0..{u16}.{u80}.{u22}
zapier webhook | literal | | https://hooks.zapier.com/hooks/catch/{d7}/{L7}/?token={A20}
mattermost webhook | prose | | https://chat.acme-corp.io/hooks/{L26}
basic header | header | Authorization | Basic {basic}
bearer opaque | header | Authorization | Bearer {A40}
x-api-key | header | X-Api-Key | {A32}
session cookie | header | Cookie | session={u60}.{u6}.{u27}
password python | python | password | {pw}
password json | json | password | {pw}
password yaml | yaml | db_password | {pw}
password env | env | DB_PASSWORD | {pw}
password ini | ini | password | {pw}
password shell | shell | ADMIN_PASSWORD | {pw}
password js | js | dbPassword | {pw}
password argument | argument | passwd | {pw}
password item | item | PASSWORD | {pw}
password xml | xml | password | {pw}
password attribute | attribute | DbPassword | {pw}
password properties | ini | spring.datasource.password | {pw}
password docker | docker | MYSQL_ROOT_PASSWORD | {pw}
password define | define | DB_PASSWORD | {pw}
password option | option | password | {pw}
password comment | comment | root password | {pw}
password netrc | machine ftp.acme-corp.io login me password {v} | password | {pw}
password curl | curl -u admin:{v} https://acme-corp.io/api | password | {pw}
password sshpass | sshpass -p '{v}' ssh root@10.0.0.9 | password | {pw}
passphrase | python | passphrase | {pw}-{pw}
secret key django | python | SECRET_KEY | django-insecure-{L50}
secret key flask | python | app.secret_key | {A24}
secret rails | yaml | secret_key_base | {h128}
secret laravel | env | APP_KEY | base64:{b43}=
secret jwt | env | JWT_SECRET | {A32}
secret client | json | clientSecret | {u40}
secret docker auth | json | auth | {basic}
secret kubernetes | yaml | password | {basic}
key encryption | python | ENCRYPTION_KEY | {h64}
key fernet | python | fernet_key | {u43}=
key api yaml | yaml | api_key | {A32}
key api toml | ini | apikey | {h32}
key access | item | access_key | {U20}
key generic | js | apiKey | {L32}
token python | python | auth_token | {A32}
token json | json | accessToken | {A40}
token shell | shell | DEPLOY_TOKEN | {h40}
token yaml | yaml | token | {t32}
token option | option | token | {A30}
token comment | comment | token | {A30}
shadow hash | root:{v}:19000:0:99999:7::: | | $6${A16}${b86}
hex 32 | literal | | {h32}
hex 48 | literal | | {h48}
hex 64 | literal | | {h64}
hex upper | literal | | {H40}
base64 24 bytes | literal | | {b32}
base64 32 bytes | literal | | {b43}=
base64 64 bytes | literal | | {b86}==
base64url 32 bytes | literal | | {u43}
base32 20 bytes | literal | | {s32}
base32 32 bytes | literal | | {s52}
base58 | literal | | {k44}
alphanumeric 40 | literal | | {A40}
alphanumeric 28 | comment | use | {A28}
lower alphanumeric 36 | literal | | {L36}
"""


@dataclass(frozen=True)
class Kind:
    """One kind of secret: `plain` is a text with it, `name` what Python code would call the `value`."""

    title: str
    name: str
    value: str
    plain: str


@cache
def kinds() -> tuple[Kind, ...]:
    """All kinds, the same in every process."""
    return tuple(_kind(line) for line in _TABLE.strip().split("\n"))


def held_out(kind: Kind) -> bool:
    """Whether the rules were written without a look at this kind."""
    return zlib.crc32(kind.title.encode()) % 3 == 0


def _kind(line: str) -> Kind:
    title, written, name, spec = (part.strip() for part in line.split("|"))
    draw = random.Random(title)
    spec = spec.replace("\\n", "\n").replace("{{", "\0").replace("}}", "\1")
    value = re.sub(r"\{([^{}]+)\}", lambda match: _drawn(match[1], draw), spec).replace("\0", "{").replace("\1", "}")
    plain = WRITTEN.get(written, written).replace("{{", "{").replace("}}", "}")
    return Kind(title, name or "value", value, plain.replace("{k}", name).replace("{v}", value))


def _drawn(piece: str, draw: random.Random) -> str:
    if match := re.fullmatch(r"([A-Za-z])(\d+)", piece):
        return _of(match[1], int(match[2]), draw)
    if piece.startswith("pem "):
        body = "\n".join(
            ["MII" + _of("b", 61, draw), *(_of("b", 64, draw) for _ in range(9)), _of("b", 30, draw) + "=="]
        )
        return f"-----BEGIN {piece[4:]}-----\n{body}\n-----END {piece[4:]}-----"
    return _PIECES[piece](draw)


def _of(alphabet: str, length: int, draw: random.Random) -> str:
    return "".join(draw.choices(ALPHABETS[alphabet], k=length))


def _guid(draw: random.Random) -> str:
    return "-".join(_of("h", length, draw) for length in (8, 4, 4, 4, 12))


def _password(draw: random.Random) -> str:
    return f"{draw.choice(WORDS)}{draw.choice('!#$%*_-')}{draw.choice(WORDS)}{draw.randrange(10, 9999)}"


def _checked(draw: random.Random) -> str:
    body = _of("A", 30, draw)
    rest, digits = zlib.crc32(body.encode()), ""
    while rest:
        rest, digit = divmod(rest, 62)
        digits = (string.digits + string.ascii_uppercase + string.ascii_lowercase)[digit] + digits
    return body + digits.rjust(6, "0")


def _jwt(draw: random.Random) -> str:
    parts = ({"alg": "HS256", "typ": "JWT"}, {"sub": _of("d", 10, draw), "name": "Ada", "iat": draw.randrange(10**9)})
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*encoded, _of("u", 43, draw)])


def _basic(draw: random.Random) -> str:
    return base64.b64encode(f"deploy:{_password(draw)}".encode()).decode()


_PIECES: dict[str, Callable[[random.Random], str]] = {
    "guid": _guid,
    "pw": _password,
    "crc": _checked,
    "jwt": _jwt,
    "basic": _basic,
}


# ---------------------------------------------------------------------------------------------------
# Evasions: Python code whose running would give the value


def evasions(kind: Kind) -> Iterator[tuple[str, str]]:
    """Yield (name of the evasion, a text with the kind's value hidden by it)."""
    value, name = kind.value, re.sub(r"[^\w.]+", "_", kind.name)
    parts = [value[start : start + 7] for start in range(0, len(value), 7)]
    quoted = [json.dumps(part) for part in parts]
    encoded = base64.b64encode(value.encode()).decode()
    hidden = {
        "full width": json.dumps(_full_width(value), ensure_ascii=False),
        "zero width": json.dumps("\u200b".join(parts), ensure_ascii=False),
        "joiners": json.dumps("\u2060\u200d".join(parts), ensure_ascii=False),
        "soft hyphen": json.dumps("\xad".join(parts), ensure_ascii=False),
        "x escapes": '"' + "".join(f"\\x{ord(character):02x}" for character in value) + '"',
        "u escapes": '"' + "".join(f"\\u{ord(character):04x}" for character in value) + '"',
        "some escapes": '"' + "".join(_some_escaped(place, character) for place, character in enumerate(value)) + '"',
        "adjacent": " ".join(quoted),
        "adjacent lines": "(\n    " + "\n    ".join(quoted) + "\n)",
        "plus": " + ".join(quoted),
        "plus lines": quoted[0] + " + \\\n    " + " + \\\n    ".join(quoted[1:] or ['""']),
        "joined": '"".join([' + ", ".join(quoted) + "])",
        "reversed": json.dumps(value[::-1]) + "[::-1]",
        "base64": f'base64.b64decode("{encoded}").decode()',
        "base64url": f'base64.urlsafe_b64decode(b"{base64.urlsafe_b64encode(value.encode()).decode()}")',
        "hex": f'bytes.fromhex("{value.encode().hex()}").decode()',
    }
    for evasion, expression in hidden.items():
        yield evasion, f"import base64\n\n{name} = {expression}\nprint(len({name}))\n"


def _full_width(text: str) -> str:
    return "".join(chr(ord(character) + 0xFEE0) if character.isalnum() else character for character in text)


def _some_escaped(place: int, character: str) -> str:
    return f"\\x{ord(character):02x}" if place % 3 == 1 or character in '"\\\n' else character
