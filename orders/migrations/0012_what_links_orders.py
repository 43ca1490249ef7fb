"""What links orders is looked up beyond one drop; models that are trained, and what one that is tried would say."""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [
        ('orders', '0011_a_decision_may_be_withdrawn'),
    ]

    operations = [
        migrations.CreateModel(
            name='TrainedModel',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('version', models.CharField(max_length=40, unique=True)),
                ('table', models.JSONField(help_text='The artefact; see orders.risk.model.')),
                ('card', models.TextField(help_text='How it was judged.')),
                ('role', models.CharField(choices=[('champion', 'Champion'), ('challenger', 'Challenger'), ('retired', 'Retired')], default='retired', max_length=10)),
                ('stored_at', models.DateTimeField()),
                ('role_since', models.DateTimeField()),
            ],
        ),
        migrations.AddField(
            model_name='claimsignals',
            name='link',
            field=models.BigIntegerField(help_text='The first order of its group; empty for one by itself.', null=True),
        ),
        migrations.AddField(
            model_name='claimsignals',
            name='print_key',
            field=models.CharField(blank=True, db_default='', default='', help_text="Headers and the script's report.", max_length=32),
        ),
        migrations.AddField(
            model_name='evidence',
            name='challenger',
            field=models.JSONField(help_text='The score and version of a model that is tried beside.', null=True),
        ),
        migrations.AddField(
            model_name='evidence',
            name='explanation',
            field=models.JSONField(help_text="The analyst's words: summary, evidence, checks.", null=True),
        ),
        migrations.AddField(
            model_name='evidence',
            name='explored',
            field=models.BooleanField(db_default=False, default=False, help_text='Reviewed without the score: what people say then is no echo of it.'),
        ),
        migrations.AddField(
            model_name='evidence',
            name='model',
            field=models.CharField(blank=True, db_default='', help_text="Its version, and the vector's.", max_length=60),
        ),
        migrations.AlterField(
            model_name='claimsignals',
            name='card_key',
            field=models.CharField(blank=True, db_default='', default='', help_text='Known once it was paid with.', max_length=32),
        ),
        migrations.AlterField(
            model_name='claimsignals',
            name='device_key',
            field=models.CharField(blank=True, db_default='', default='', help_text="The browser's own cookie.", max_length=32),
        ),
        migrations.AlterField(
            model_name='claimsignals',
            name='header_key',
            field=models.CharField(blank=True, db_default='', default='', help_text='Names of headers, in order.', max_length=32),
        ),
        AddIndexConcurrently(
            model_name='claimsignals',
            index=models.Index(fields=['address_key'], name='links_address'),
        ),
        AddIndexConcurrently(
            model_name='claimsignals',
            index=models.Index(condition=models.Q(('phone_key', ''), _negated=True), fields=['phone_key'], name='links_phone'),
        ),
        AddIndexConcurrently(
            model_name='claimsignals',
            index=models.Index(condition=models.Q(('device_key', ''), _negated=True), fields=['device_key'], name='links_device'),
        ),
        AddIndexConcurrently(
            model_name='claimsignals',
            index=models.Index(condition=models.Q(('card_key', ''), _negated=True), fields=['card_key'], name='links_card'),
        ),
        AddIndexConcurrently(
            model_name='claimsignals',
            index=models.Index(condition=models.Q(('print_key', ''), _negated=True), fields=['print_key'], name='links_print'),
        ),
        AddIndexConcurrently(
            model_name='claimsignals',
            index=models.Index(condition=models.Q(('link__isnull', False)), fields=['link'], name='links_group'),
        ),
        migrations.AddConstraint(
            model_name='trainedmodel',
            constraint=models.UniqueConstraint(condition=models.Q(('role__in', ['champion', 'challenger'])), fields=('role',), name='one_model_per_role'),
        ),
        migrations.AddConstraint(
            model_name='trainedmodel',
            constraint=models.CheckConstraint(condition=models.Q(('role__in', ['champion', 'challenger', 'retired'])), name='model_role_is_known'),
        ),
        RemoveIndexConcurrently(
            model_name='claimsignals',
            name='signals_address',
        ),
        RemoveIndexConcurrently(
            model_name='claimsignals',
            name='signals_phone',
        ),
        RemoveIndexConcurrently(
            model_name='claimsignals',
            name='signals_device',
        ),
        RemoveIndexConcurrently(
            model_name='claimsignals',
            name='signals_card',
        ),
    ]
