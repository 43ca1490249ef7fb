"""A page's proof of work is counted; a sale's orders are found in their order. No query looks up signals_ip any more:
whoever shares an address shares its network."""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [
        ('orders', '0014_a_drop_has_a_picture'),
    ]

    operations = [
        migrations.AddField(
            model_name='claimsignals',
            name='ticket_key',
            field=models.CharField(blank=True, db_default='', default='', help_text="Which page's proof of work came with it.", max_length=32),
        ),
        migrations.AlterField(
            model_name='claimsignals',
            name='raw',
            field=models.JSONField(help_text='ip, headers, page_to_submit_ms, honeypot, client, ticket, ticket_ms.'),
        ),
        AddIndexConcurrently(
            model_name='claimsignals',
            index=models.Index(fields=['drop', 'order'], name='signals_order'),
        ),
        AddIndexConcurrently(
            model_name='claimsignals',
            index=models.Index(condition=models.Q(('ticket_key', ''), _negated=True), fields=['ticket_key'], name='links_ticket'),
        ),
        AddIndexConcurrently(
            model_name='claimsignals',
            index=models.Index(condition=models.Q(('net_key', ''), _negated=True), fields=['net_key'], name='links_net'),
        ),
        RemoveIndexConcurrently(
            model_name='claimsignals',
            name='signals_ip',
        ),
        RemoveIndexConcurrently(
            model_name='claimsignals',
            name='signals_net',
        ),
    ]
